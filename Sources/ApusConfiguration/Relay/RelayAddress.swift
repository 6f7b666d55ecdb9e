// The address under which clients know a relay (relay.md §3.1). Clients compare what comes out of here byte by byte, so
// it is what the relays that they come from would say, for every address that means a host.

/// `HOST[:PORT][/PATH]`, with `rel://` or `rels://` before it or neither.
public struct RelayAddress: Equatable, Sendable {
    public enum Scheme: String, Sendable {
        case rel, rels
    }

    /// What AuthResponse has room for.
    public static let byteCountMax = 8190
    private static let separator = "://"

    /// Nil: whether there is TLS decides.
    public let scheme: Scheme?
    /// As it stands in the URL.
    private let rest: String

    /// What is wrong with it; nil when nothing is.
    static func problem(of text: String) -> String? {
        do throws(Unreadable) {
            _ = try RelayAddress(parsing: text)
            return nil
        } catch {
            return error.reason
        }
    }

    init(parsing text: String) throws(Unreadable) {
        guard text.utf8.count <= RelayAddress.byteCountMax - Scheme.rels.prefix.utf8.count else {
            throw Unreadable(reason: "at most \(RelayAddress.byteCountMax) bytes, its scheme counted")
        }
        let parts = text.split(separator: RelayAddress.separator, omittingEmptySubsequences: false)
        guard parts.count <= 2 else { throw Unreadable(reason: "\(text) has two ://: write rels://HOST:PORT") }
        scheme = parts.count == 2 ? try RelayAddress.scheme(String(parts[0])) : nil
        rest = try RelayAddress.escaped(String(parts[parts.count - 1]), of: text)
    }

    /// - Parameter overTLS: the relay itself has a certificate.
    public func instanceURL(overTLS: Bool) -> String { (scheme ?? (overTLS ? .rels : .rel)).prefix + rest }

    private static func scheme(_ text: String) throws(Unreadable) -> Scheme {
        guard let scheme = Scheme(rawValue: text.lowercased()) else {
            throw Unreadable(reason: "the scheme is rel or rels (with TLS), found \"\(text)\"")
        }
        return scheme
    }

    // MARK: Behind the scheme

    private static func escaped(_ rest: String, of text: String) throws(Unreadable) -> String {
        let authority = rest.prefix { $0 != "/" && $0 != "?" }
        let tail = rest[authority.endIndex...]
        let path = tail.prefix { $0 != "?" }
        guard path.utf8.allSatisfy(isPathByte), hasWholeEscapes(path) else {
            throw Unreadable(reason: "\(text): the path has bytes that no URL has; clients pass it over: leave it out")
        }
        guard tail.dropFirst(path.count).utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw Unreadable(reason: "\(text): the query has bytes that no URL has: leave it out")
        }
        return try escapedHost(authority, of: text) + tail
    }

    private static func escapedHost(_ authority: Substring, of text: String) throws(Unreadable) -> String {
        if authority.contains("@") { throw Unreadable(reason: "a relay has no user: leave out what is before the @") }
        let (host, port) = try split(authority, of: text)
        if host.isEmpty { throw Unreadable(reason: "\(text) names no host: write HOST:PORT as clients reach it") }
        if let port, UInt16(port) ?? 0 == 0 || !port.allSatisfy(\.isASCII) {
            throw Unreadable(reason: "\"\(port)\" is no port: write a number from 1 to 65535")
        }
        if host.hasPrefix("[") {
            let problem = AddressText.problem(of: "\(host):1", for: .listen)
            guard problem == nil, !host.contains("%") else {
                throw Unreadable(reason: problem ?? "\(host): an address of one interface is nothing for clients")
            }
        } else if !host.utf8.allSatisfy(isHostByte) {
            throw Unreadable(reason: "\(host) is no name of a host")
        }
        return host.utf8.map(escaped).joined() + (port.map { ":\($0)" } ?? "")
    }

    private static func split(
        _ authority: Substring, of text: String
    ) throws(Unreadable) -> (host: Substring, port: Substring?) {
        if authority.hasSuffix("]") { return (authority, nil) }
        guard let colon = authority.lastIndex(of: ":") else { return (authority, nil) }
        let host = authority[..<colon]
        if host.contains(":"), !host.hasPrefix("[") {
            throw Unreadable(reason: "\(text) is ambiguous: write an IPv6 address in brackets, as in [2001:db8::1]:443")
        }
        return (host, authority[authority.index(after: colon)...])
    }

    /// Names beyond ASCII travel as their UTF-8 in percent escapes.
    private static func escaped(_ byte: UInt8) -> String {
        guard byte >= 0x80 else { return String(UnicodeScalar(byte)) }
        return "%" + String(byte, radix: 16, uppercase: true)
    }

    private static func isHostByte(_ byte: UInt8) -> Bool {
        byte >= 0x80 || isUnreserved(byte)
    }

    /// RFC 3986 §2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "-._~".utf8.contains(byte)
        }
    }

    /// What stands in a path as it is: RFC 3986 §3.3, and brackets, which the relatives leave alone.
    private static func isPathByte(_ byte: UInt8) -> Bool {
        isUnreserved(byte) || "/!$&'()*+,;=:@[]%".utf8.contains(byte)
    }

    private static func hasWholeEscapes(_ path: Substring) -> Bool {
        path.split(separator: "%", omittingEmptySubsequences: false).dropFirst().allSatisfy { part in
            part.count >= 2 && part.prefix(2).allSatisfy { $0.isHexDigit && $0.isASCII }
        }
    }
}

extension RelayAddress.Scheme {
    fileprivate var prefix: String { rawValue + "://" }
}
