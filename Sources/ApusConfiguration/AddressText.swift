// Whether a text can be an address, before anybody binds or looks it up. It opens no socket and asks no resolver.

import Foundation

public enum AddressText {
    /// What the address is for.
    public enum Use: Sendable {
        /// To listen: numbers, since a name may stand for another interface tomorrow.
        case listen
        /// To connect: names too.
        case connect
    }

    /// Linux's `sun_path`, without the zero byte that ends it.
    static let pathByteCountMax = 107

    /// What is wrong with it and what to write instead; nil when nothing is.
    public static func problem(of text: String, for use: Use) -> String? {
        if text.hasPrefix("unix:") { return pathProblem(of: text.dropFirst("unix:".count)) }
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else {
            return "\(text) has no port: write HOST:PORT, [IPV6]:PORT or unix:PATH"
        }
        let (host, port) = (text[..<colon], text[text.index(after: colon)...])
        guard port.allSatisfy({ $0.isASCII && $0.isNumber }), UInt16(port) != nil else {
            return "\"\(port)\" is no port: write a number from 0 to 65535"
        }
        return hostProblem(of: host, in: text, for: use)
    }

    /// Whether only this host can reach it.
    public static func isLocal(_ text: String) -> Bool {
        text.hasPrefix("unix:") || text.hasPrefix("127.") || text.hasPrefix("[::1]:")
    }

    /// As browsers write one (RFC 6454 §6.2): scheme, host, and a port unless it is the scheme's.
    static func isOrigin(_ text: String) -> Bool {
        guard let scheme = ["https://", "http://"].first(where: text.hasPrefix) else { return false }
        let host = text.dropFirst(scheme.count)
        let isPlain = host.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"/?#@".utf8.contains($0) }
        return isPlain && !host.isEmpty && text.utf8.count <= 253 + scheme.count
    }

    private static func pathProblem(of path: Substring) -> String? {
        if path.isEmpty { return "unix: names no path: write unix:/run/apus.sock or the like" }
        if path.hasPrefix("@") { return "the abstract namespace has no permissions: write the path of a file" }
        guard path.utf8.count <= pathByteCountMax, !path.utf8.contains(0) else {
            return "the path \(path) cannot name a socket: at most \(pathByteCountMax) bytes, no zeros"
        }
        return nil
    }

    private static func hostProblem(of host: Substring, in text: String, for use: Use) -> String? {
        if host.isEmpty {
            return "\(text) names no host: write 127.0.0.1\(text), or 0.0.0.0\(text) for every interface"
        }
        if host.hasPrefix("["), host.hasSuffix("]") {
            // The interface behind a percent sign is looked up when it is bound.
            let digits = host.dropFirst().dropLast().prefix { $0 != "%" }
            return isNumeric(String(digits), AF_INET6) ? nil : "\(host) is no IPv6 address: write one such as [::1]"
        }
        if host.contains(":") { return "\(text) is ambiguous: write an IPv6 address in brackets, as in [::1]:9000" }
        switch use {
        case .listen:
            guard !isNumeric(String(host), AF_INET) else { return nil }
            return "\(host) is no numeric address: write one such as 127.0.0.1 or [::1]"
        case .connect:
            let isName = host.utf8.count <= 253 && host.utf8.allSatisfy { (0x21...0x7E).contains($0) }
            return isName ? nil : "\(host) is no name of a host"
        }
    }

    private static func isNumeric(_ host: String, _ family: Int32) -> Bool {
        guard !host.utf8.contains(0) else { return false }
        var address = in6_addr()
        return inet_pton(family, host, &address) == 1
    }
}
