// Lists of ciphers as operators write them. OpenSSL passes over names it does not know; here they are mistakes.

import COpenSSL

enum CipherNames {
    /// What OpenSSL 3.0 has for TLS 1.3 (RFC 8446 §B.4).
    static let suites: Set<String> = [
        "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_CCM_SHA256",
        "TLS_AES_128_CCM_8_SHA256",
    ]

    /// Appended to every list: whatever it names, there is no cipher without encryption or without a certificate.
    static let exclusions = ":!aNULL:!eNULL:!PSK:!SRP"

    static func problems(list: String, suites: String) -> [String] {
        listProblems(list) + suiteProblems(suites)
    }

    private static func suiteProblems(_ list: String) -> [String] {
        let names = list.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        return names.filter { !suites.contains($0) }
            .map { "cipher suites: \"\($0)\" is none of TLS 1.3: choose of \(suites.sorted().joined(separator: ", "))" }
    }

    /// Each name is tried by itself, for in a list OpenSSL accepts an unknown one beside a known one.
    private static func listProblems(_ list: String) -> [String] {
        guard let context = unsafe SSL_CTX_new(TLS_method()) else {
            return ["cipher list: cannot be checked: \(OpenSSLErrors.takeText())"]
        }
        defer { unsafe SSL_CTX_free(context) }
        let names = list.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        let unknown = names.filter { unsafe !isKnown($0, in: context) }
        if !unknown.isEmpty {
            return unknown.map { "cipher list: \"\($0)\" names no cipher: see `openssl ciphers -tls1_2`" }
        }
        defer { ERR_clear_error() }
        guard unsafe SSL_CTX_set_cipher_list(context, list + exclusions) == 1 else {
            return ["cipher list: \"\(list)\" leaves no cipher that encrypts and authenticates: name at least one"]
        }
        return []
    }

    /// `!`, `-` and `+` before a name only take away or move, so they need not match anything; `@` changes the security
    /// level, which is not for a list of ciphers to do.
    private static func isKnown(_ name: String, in context: OpaquePointer) -> Bool {
        guard let first = name.first, first != "@" else { return false }
        if "!-+".contains(first) { return name.count > 1 }
        defer { ERR_clear_error() }
        return unsafe SSL_CTX_set_cipher_list(context, name) == 1
    }
}
