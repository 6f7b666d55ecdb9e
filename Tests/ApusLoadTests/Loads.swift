// What the tests of the three loads share.

import ApusReactor
import Glibc

@testable import ApusLoad

func closeForTest(_ socket: Descriptor) { close(socket.number) }

extension PacketLoadConfiguration {
    /// Short, and without a warm-up, so that every reply counts.
    static func short(_ address: SocketAddress, connections: Int = 4, depth: Int = 4) -> PacketLoadConfiguration {
        var configuration = PacketLoadConfiguration(address: address)
        configuration.connections = connections
        configuration.depth = depth
        configuration.seconds = 0.2
        configuration.warmupSeconds = 0
        return configuration
    }
}

/// A path that no other test has.
func temporarySocketPath() -> String { "unix:/tmp/apus-load-\(getpid())-\(UInt32.random(in: 0 ... .max)).sock" }

/// Makes a peer slow.
func sleepForTest(_ time: Nanoseconds) { usleep(UInt32(time / 1000)) }

extension LoadError {
    var isNoReply: Bool {
        if case .noReply = self { true } else { false }
    }

    var isServer: Bool {
        if case .server = self { true } else { false }
    }
}
