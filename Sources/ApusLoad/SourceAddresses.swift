// Where connections come from. Towards one address and port, one source has some 28,000 ports; a loopback has sources
// to spare.

import ApusReactor

struct SourceAddresses {
    /// Sixteen of them: 127.0.0.2 … 127.0.0.17.
    private static let loopbackCount = 16

    /// Empty: the kernel chooses.
    private let sources: [SocketAddress]
    private var next = 0

    static let unbound = SourceAddresses(sources: [])

    private init(sources: [SocketAddress]) { self.sources = sources }

    /// In turn for a target on an IPv4 loopback. IPv6's loopback is a single address, other interfaces' addresses are
    /// not ours to choose, and UNIX sockets have no ports.
    init(for target: SocketAddress) {
        let isLoopback = target.family == .ipv4 && target.description.hasPrefix("127.")
        let lastBytes = isLoopback ? 2..<2 + SourceAddresses.loopbackCount : 0..<0
        sources = lastBytes.map(SourceAddresses.loopback)
    }

    private static func loopback(lastByte: Int) -> SocketAddress {
        do {
            return try SocketAddress(parsing: "127.0.0.\(lastByte):0")
        } catch {
            preconditionFailure("127.0.0.\(lastByte) is an address: \(error)")
        }
    }

    /// A socket for `target`, bound to the next source if there is a choice.
    mutating func openSocket(for target: SocketAddress) throws(LoadError) -> Descriptor {
        do throws(SocketError) {
            guard !sources.isEmpty else { return try openStream(for: target) }
            next = (next + 1) % sources.count
            return try openStream(for: target, from: sources[next])
        } catch {
            throw .socket(error)
        }
    }
}
