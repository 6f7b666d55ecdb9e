// NPRO messages in packets, answered by the dispatcher's routes (NPRO §1.2, §6.1).

import ApusReactor
import ApusWire

package enum MessageSession {
    package static func answer(
        _ bytes: RawSpan, of slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> SessionProgress {
        let echoed = echo(bytes, to: connection, in: state)
        if echoed == bytes.byteCount {
            let next = SessionStop.incomplete(byteCountNeeded: PacketFormat.headerByteCount)
            return SessionProgress(consumedByteCount: echoed, stop: next)
        }
        return PacketLoop.run(bytes, from: echoed, with: connection.pointee.decoder, connection, in: state) { packet in
            let payload = bytes.extracting(packet).extracting(droppingFirst: PacketFormat.headerByteCount)
            return answer(payload: payload, of: slot, connection, in: state)
        }
    }

    /// Answer one payload.
    @inline(__always)
    static func answer(
        payload: RawSpan, of slot: UInt32, _ connection: UnsafeMutablePointer<Connection>,
        in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        switch MessageDecoder.step(payload) {
        case .violation: .finish(.malformedMessage)
        case .message(let layout): dispatch(payload, layout, of: slot, connection, in: state)
        }
    }

    /// Answer the packets that are their own answers, as long as the bytes start with such; returns how many bytes.
    @inline(__always)
    private static func echo(
        _ bytes: RawSpan, to connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Int {
        guard state.pointee.routes.echoes, connection.pointee.asyncOutstanding == 0,
            PacketLoop.mayReply(connection, in: state)
        else { return 0 }
        let room = state.pointee.limits.outstandingByteCountMax - connection.pointee.unsentByteCount
        let run = connection.pointee.decoder.leadingEchoes(of: bytes, byteCountMax: room)
        // Where no buffer holds them all, they are answered one by one.
        guard run.packetCount > 0, state.pointee.append(packets: bytes.extracting(0..<run.byteCount), to: connection)
        else { return 0 }
        connection.pointee.lastMessage = state.pointee.now
        state.pointee.counters.packetsReceived.add(run.packetCount)
        return run.byteCount
    }

    @inline(__always)
    private static func dispatch(
        _ payload: RawSpan, _ layout: MessageLayout, of slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        let route = state.pointee.routes.route(payload, layout)
        let message = MessageView(payload: payload, layout: layout)
        return act(on: route.pointee.action, route, message, of: slot, connection, in: state)
    }

    @inline(never)
    private static func act(
        on action: RouteAction, _ route: UnsafeMutablePointer<Route>, _ message: borrowing MessageView, of slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        if action == .handleAsync { return startAsync(route, message, of: slot, connection, in: state) }
        if action == .swallow { return state.pointee.admitControl(connection) ? .next : .finish(.controlFlood) }
        // A reply now would overtake those of the asynchronous requests before it.
        if connection.pointee.asyncOutstanding > 0 { return .pause }
        if message.kind != .ping { connection.pointee.lastMessage = state.pointee.now }

        var reply = Reply(to: connection, in: state)
        switch action {
        case .echo: reply.echo(message)
        case .pong:
            guard state.pointee.admitControl(connection) else { return .finish(.controlFlood) }
            reply.pong()
        case .handle: route.pointee.handle(message, Context(connection, slot: slot, in: state), &reply)
        case .disconnect: return .finish(.disconnect)
        case .none: return unknown(from: connection, in: state)
        case .swallow, .handleAsync: preconditionFailure("seen to above")
        }
        return reply.closing.map { .finish($0) } ?? .next
    }

    private static func unknown(
        from connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        switch state.pointee.unknownCommand {
        case .silence:
            state.pointee.counters.count(DropReason.unknownCommand)
            return state.pointee.admitControl(connection) ? .next : .finish(.controlFlood)
        case .close:
            return .finish(.unknownCommand)
        }
    }

    @inline(never)
    private static func startAsync(
        _ route: UnsafeMutablePointer<Route>, _ message: borrowing MessageView, of slot: UInt32,
        _ connection: UnsafeMutablePointer<Connection>, in state: UnsafeMutablePointer<ShardState>
    ) -> Verdict {
        guard connection.pointee.asyncOutstanding < state.pointee.limits.asyncRequests else { return .pause }
        guard let handler = route.pointee.asyncHandler else { return .next }
        let byteCount = message.payload.byteCount
        guard state.pointee.admitAsync(byteCount: byteCount) else { return .pause }
        connection.pointee.lastMessage = state.pointee.now
        let context = Context(connection, slot: slot, in: state)
        AsyncRequest(
            token: context.token, sequence: connection.pointee.asyncRequested, byteCount: byteCount,
            inbox: state.pointee.inbox
        ).start(handler, message.copyMessage(), context.copyForAsync())
        // Wraps, as the count of answers does.
        connection.pointee.asyncRequested &+= 1
        state.pointee.counters.asyncRequests.add()
        return .next
    }
}
