// Which names a listener on the loopback answers to. A page of anywhere can let its own name resolve to 127.0.0.1 and
// then read what it asks for as if it were its own (DNS rebinding): the Host field still has its name.

struct AdminHosts: Sendable {
    private let allowed: Set<String>

    init(_ allowed: [String]) { self.allowed = Set(allowed.map { $0.lowercased() }) }

    /// - Parameter host: the Host field; nil and empty: no browser sent it.
    func allows(_ host: String?) -> Bool {
        guard let host, !host.isEmpty else { return true }
        let name = AdminHosts.name(of: host).lowercased()
        return name == "localhost" || name.hasSuffix(".localhost") || allowed.contains(name)
            || AdminHosts.isAddress(name)
    }

    /// Without the port and a final dot.
    private static func name(of host: String) -> Substring {
        if host.hasPrefix("[") { return host.prefix { $0 != "]" } }
        let name = host.prefix { $0 != ":" }
        return name.hasSuffix(".") ? name.dropLast() : name
    }

    /// An IPv4 address, or an IPv6 one with its opening bracket: no name that somebody else could own.
    private static func isAddress(_ name: String) -> Bool {
        if name.hasPrefix("[") { return name.dropFirst().contains(":") }
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil && $0.utf8.allSatisfy { 0x30...0x39 ~= $0 } }
    }
}
