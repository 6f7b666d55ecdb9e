// What the tests of the three loads share.

import ApusReactor
import Glibc
import Testing

@testable import ApusLoad

/// The loads against a peer, one at a time: each has threads of its own and measures.
@Suite(.serialized) enum LoadTests {}

func closeForTest(_ socket: Descriptor) { close(socket.number) }

/// Makes a peer slow.
func sleepForTest(_ time: Nanoseconds) { usleep(UInt32(time / 1000)) }

/// A path that no other test has.
func temporarySocketPath() -> String { "unix:/tmp/apus-load-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock" }

func removeSocketFile(_ address: SocketAddress) {
    if let path = address.unixPath { unlink(path) }
}

extension PacketLoadConfiguration {
    /// Without a warm-up, so that every reply counts, and without an end of its own: the peer closes the connections,
    /// and the run ends with the last of them.
    static func untilClosed(_ address: SocketAddress, connections: Int = 4, depth: Int = 4) -> PacketLoadConfiguration {
        var configuration = PacketLoadConfiguration(address: address)
        configuration.connections = connections
        configuration.depth = depth
        configuration.seconds = 300
        configuration.warmupSeconds = 0
        return configuration
    }

    /// Ends by itself.
    static func short(_ address: SocketAddress, connections: Int = 4, depth: Int = 4) -> PacketLoadConfiguration {
        var configuration = untilClosed(address, connections: connections, depth: depth)
        configuration.seconds = 0.5
        return configuration
    }
}

extension LoadError {
    var isNoReply: Bool {
        if case .noReply = self { true } else { false }
    }

    var isServer: Bool {
        if case .server = self { true } else { false }
    }
}
