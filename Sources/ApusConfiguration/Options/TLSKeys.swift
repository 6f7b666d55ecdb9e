// The rows of [tls]; a listener may override each.

public enum TLSKeys {
    public static let certificate = Key.optionalText(
        "tls.certificate", .file, .newConnections, traits: .init(flag: "--tls-certificate"),
        "The certificate, PEM, and behind it those that lead to its CA.")

    public static let key = Key.optionalText(
        "tls.key", .file, .newConnections, traits: .init(flag: "--tls-key"),
        "The certificate's private key, PEM, not encrypted.")

    public static let authority = Key.optionalText(
        "tls.ca", .file, .newConnections, traits: .init(flag: "--tls-ca"),
        "The CA whose client certificates are believed, PEM.")

    public static let verifyClient = Key.text(
        "tls.verify_client", .choice(["none", "optional", "required"]), "none", .newConnections,
        traits: .init(flag: "--verify-client"),
        "none: clients are asked for no certificate. optional: one that is shown must be good. required: no "
            + "certificate, no connection.")

    public static let pins = Key.texts(
        "tls.pinned_sha256", .pin, .newConnections, traits: .init(flag: "--pin"),
        "SHA-256 of the only certificates that clients may show, as apus certs show prints it; checked after "
            + "everything else.")

    public static let alpn = Key.texts(
        "tls.alpn", .protocolName, .newConnections, traits: .init(flag: "--tls-alpn"),
        "Protocols to agree on, best first. A client that offers only others is refused; without any, all are let in. "
            + "Relay listeners agree on http/1.1 unless this says otherwise.")

    public static let minimumVersion = Key.text(
        "tls.minimum_version", .choice(["1.2", "1.3"]), "1.2", .newConnections,
        traits: .init(flag: "--tls-min-version"),
        "The least version.")

    public static let ciphers = Key.optionalText(
        "tls.ciphers", .text(1...4096), .newConnections, traits: .init(flag: "--tls-ciphers"),
        "Ciphers of TLS 1.2, OpenSSL's names between colons. Without it: ECDHE with AES-GCM or ChaCha20.")

    public static let suites = Key.optionalText(
        "tls.suites", .text(1...4096), .newConnections, traits: .init(flag: "--tls-suites"),
        "Suites of TLS 1.3, between colons. Without it: its three.")

    static let all: [OptionRow] = [
        certificate.option, key.option, authority.option, verifyClient.option, pins.option, alpn.option,
        minimumVersion.option, ciphers.option, suites.option,
    ]
}
