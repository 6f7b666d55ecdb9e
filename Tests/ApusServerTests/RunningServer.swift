// A real server on a real kernel for one test, and what tests ask of it.

import ApusReactor
import ApusServer
import ApusWire
import Glibc
import TestSupport

/// A server that listens, with the clients' way in.
struct RunningServer {
    let handle: ServerHandle

    var address: String { handle.boundAddresses[0] }
    var metrics: ServerMetrics { handle.metrics }

    func connect(receiveBufferByteCount: Int? = nil) throws -> Peer {
        try Peer(to: address, receiveBufferByteCount: receiveBufferByteCount)
    }

    /// Send one message on a connection of its own and read the next.
    func ask(_ message: Message, at address: String? = nil) throws -> Message? {
        let peer = try Peer(to: address ?? self.address)
        return try peer.request(message)
    }

    /// Whether, in the end, exactly so many connections were closed for this reason.
    func closed(_ reason: CloseReason, _ count: UInt64 = 1) -> Bool {
        eventually { metrics.closed[reason] ?? 0 >= count } && metrics.closed[reason] == count
    }

    func dropped(_ reason: DropReason, _ count: UInt64 = 1) -> Bool {
        eventually { metrics.dropped[reason] ?? 0 >= count } && metrics.dropped[reason] == count
    }

    func refused(_ reason: RefusalReason, _ count: UInt64 = 1) -> Bool {
        eventually { metrics.refused[reason] ?? 0 >= count } && metrics.refused[reason] == count
    }
}

/// Start a server in this tier, on a free port unless `change` says otherwise, run `body` on a thread that may block,
/// and stop what is left of the server.
func withServer(
    _ tier: RingTier, _ change: (inout Server) -> Void = { _ in }, _ body: (RunningServer) throws -> Void
) async throws {
    var server = Server(ServerConfiguration(address: "127.0.0.1:0"))
    server.configuration.ringTier = tier
    // A test that does not ask for a deadline must not meet one on a machine that is busy with something else.
    server.configuration.firstByteTimeout = .seconds(60)
    server.configuration.stalledWriteTimeout = .seconds(60)
    server.configuration.heartbeatInterval = .seconds(60)
    change(&server)
    try await blocking {
        let handle = try server.start()
        defer {
            handle.stop()
            handle.wait()
        }
        try body(RunningServer(handle: handle))
    }
}

extension Message {
    /// A custom message whose content is text.
    static func command(_ command: String, _ content: String = "") -> Message {
        .custom(command: command, payload: Array(content.utf8))
    }

    /// The content of a custom message as text; nil for anything else.
    var contentText: String? {
        guard case .custom(_, let payload) = self else { return nil }
        return String(decoding: payload, as: UTF8.self)
    }
}

/// Echoes whose texts are the numbers from `first`.
func echoes(_ count: Int, from first: Int = 0) -> [Message] { (first..<first + count).map { .echo("\($0)") } }
