// Who answers what. Registrations are collected here before the server starts; each shard then freezes a copy of its
// own.

import ApusWire

/// Answers one message, on the loop: it must not block. The view and the context are gone when it returns.
public typealias Handler = (borrowing MessageView, Context, inout Reply) -> Void

/// Answers one packet of a raw packet session, on the loop.
public typealias PacketHandler = (RawSpan, Context, inout Reply) -> Void

/// Answers one message off the loop; nil: no reply. Replies leave in the order of the requests.
public typealias AsyncHandler = @Sendable (Message, AsyncContext) async throws -> Message?

/// Which messages a handler is for.
public enum MessageSelector: Hashable, Sendable {
    case ping
    case echo
    /// Custom messages of this name.
    case command(String)
    /// Custom messages whose name nobody registered.
    case anyCommand
    /// Messages with a discriminant that version 1 does not know, and handshake messages.
    case unknown
}

public struct Dispatcher: Sendable {
    enum Registration: Sendable {
        case shared(@Sendable (borrowing MessageView, Context, inout Reply) -> Void)
        case perShard(@Sendable (_ shard: Int) -> Handler)
        case async(AsyncHandler)
    }

    /// Names are their bytes: two spellings that look alike are two commands, as on the wire.
    enum Key: Hashable, Sendable {
        case kind(MessageSelector)
        case command([UInt8])

        init(_ selector: MessageSelector) {
            if case .command(let name) = selector { self = .command(Array(name.utf8)) } else { self = .kind(selector) }
        }
    }

    private(set) var registrations: [Key: Registration] = [:]
    private(set) var packetHandler: (@Sendable (_ shard: Int) -> PacketHandler)?

    public init() {}

    /// Answer these messages on the loop with one handler for all shards. The last registration counts.
    public mutating func register(
        _ selector: MessageSelector,
        handler: @escaping @Sendable (borrowing MessageView, Context, inout Reply) -> Void
    ) {
        registrations[Key(selector)] = .shared(handler)
    }

    /// Answer custom messages named `command` on the loop.
    public mutating func register(
        command: String, handler: @escaping @Sendable (borrowing MessageView, Context, inout Reply) -> Void
    ) {
        register(.command(command), handler: handler)
    }

    /// Answer these messages with a handler that each shard makes for itself, on its own thread, so that what it
    /// captures is shared with nobody and needs no lock.
    public mutating func register(
        perShard selector: MessageSelector, factory: @escaping @Sendable (_ shard: Int) -> Handler
    ) {
        registrations[Key(selector)] = .perShard(factory)
    }

    /// Answer these messages off the loop. Requests of one connection run side by side up to the backpressure limit; a
    /// request for a synchronous handler waits until the replies before it are written.
    public mutating func registerAsync(_ selector: MessageSelector, handler: @escaping AsyncHandler) {
        registrations[Key(selector)] = .async(handler)
    }

    /// Answer the packets of raw packet sessions, with a handler per shard.
    public mutating func registerPackets(perShard factory: @escaping @Sendable (_ shard: Int) -> PacketHandler) {
        packetHandler = factory
    }

    /// Answer the packets of raw packet sessions, with one handler for all shards.
    public mutating func registerPackets(
        handler: @escaping @Sendable (RawSpan, Context, inout Reply) -> Void
    ) {
        packetHandler = { _ in handler }
    }
}
