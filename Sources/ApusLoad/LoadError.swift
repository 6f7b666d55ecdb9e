// Why a run could not be made. Each description says what is wrong and what to do about it.

import ApusReactor

package enum LoadError: Error, Equatable, CustomStringConvertible {
    case ring(RingUnavailable)
    case socket(SocketError)
    case system(SystemError)
    case configuration(String, value: String, allowed: String)
    case tooLarge(requestByteCount: Int, limit: Int)
    case descriptors(needed: Int, limit: Int)
    /// Nobody listens there.
    case refused(SocketAddress)
    case unconnected(SocketAddress, errno: Int32)
    case connectTimeout(SocketAddress, seconds: Double)
    /// The server ended every connection before anything could be measured.
    case closed(SocketAddress)
    /// A connection could not be protected, for the reason given.
    case insecure(String)
    case noReply(SocketAddress, seconds: Double)
    /// A relay that lets nobody in, for the reason given.
    case relay(SocketAddress, String)
    /// Too few pairs could be made as the placement wants them.
    case unplaced(pairs: Int, found: Int, shards: Int)
    /// Its processor time and memory were asked for.
    case server(ProcessUnreadable)

    package var description: String {
        switch self {
        case .ring(let reason): reason.description
        case .socket(let reason): reason.description
        case .system(let reason): reason.description
        case .configuration(let name, let value, let allowed): "\(name) is \(value): it must be \(allowed)."
        case .tooLarge(let requestByteCount, let limit):
            "The requests would take \(requestByteCount) bytes, and \(limit) is the limit: "
                + "use fewer connections or a smaller size."
        case .descriptors(let needed, let limit):
            "\(needed) file descriptors are needed and \(limit) is the limit: "
                + "use fewer connections, or raise the nofile limit (ulimit -n, LimitNOFILE=)."
        case .refused(let address):
            "Connection refused: is a server running at \(address)? Start one with: apus serve --address \(address)"
        case .unconnected(let address, let errno): "Cannot connect to \(address): \(errorText(errno))."
        case .connectTimeout(let address, let seconds):
            "No connection to \(address) was made in \(seconds) s: "
                + "is that the right address, and does a firewall drop packets?"
        case .closed(let address):
            "The server at \(address) closed every connection: does it speak what --security says here, "
                + "and does it allow this many connections (--max-connections)?"
        case .insecure(let reason): "A connection is not secure: \(reason)"
        case .noReply(let address, let seconds):
            "The server at \(address) accepted and did not answer in \(seconds) s: does it speak the packet protocol?"
        case .relay(let address, let reason):
            "The relay at \(address) lets nobody in: \(reason). Is it one, and is --auth-secret its secret?"
        case .unplaced(let pairs, let found, let shards):
            "\(pairs) pairs are to be placed and \(found) can be: the peers are on \(shards) threads of the server. "
                + "Has it as many --shards as that takes, and is --server-pid its own?"
        case .server(let reason): "The server's process: \(reason)"
        }
    }
}
