// A shard's state and one connection without a ring: what a session needs to answer packets in memory.

import ApusReactor
import ApusServer
import ApusWire

/// Packets go in, replies are counted as sent; everything between is the code that a server runs.
struct SessionRig: ~Copyable {
    private let state: UnsafeMutablePointer<ShardState>
    private let connection: UnsafeMutablePointer<Connection>

    init() throws {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.maxConnections = 1
        configuration.outstandingByteCountMax = 1 << 30
        // Its time stands still, so the budget for PINGs never comes back.
        configuration.controlRateMax = 1_000_000_000
        var dispatcher = Dispatcher()
        dispatcher.register(command: "SUM") { message, _, reply in
            reply.sendCustom(command: message.command, content: message.content)
        }
        let shared = try SharedState(shardCount: 1, connectionsMax: 1)
        let settings = ShardSettings(
            configuration, dispatcher, index: 0, shared: shared, inbox: try Inbox(countMax: 1))
        let now = Instant(nanoseconds: 1)
        state = try ShardState.allocate(settings, at: now)
        connection = .allocate(capacity: 1)
        connection.initialize(
            to: Connection(Descriptor(-1), generation: 1, listener: 0, session: .message, at: now))
    }

    deinit {
        connection.pointee.outbound.discard(to: &state.pointee.pool)
        connection.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Answer a lease's worth of packets; returns the bytes of the replies.
    func answer(_ packets: RawSpan) -> Int {
        let progress = MessageSession.answer(packets, of: 0, connection, in: state)
        precondition(progress.consumedByteCount == packets.byteCount, "packets were left over")
        let replies = connection.pointee.outbound.nextSend(byteCountMax: .max).count
        _ = connection.pointee.outbound.sent(replies, pool: &state.pointee.pool)
        return replies
    }
}
