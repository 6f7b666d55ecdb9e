// A shard's frozen copy of the dispatcher: tables that are only read. Finding a route takes no lock, no reference
// count.

import ApusWire

/// What a route does with a message.
enum RouteAction: UInt8 {
    /// Nothing is registered.
    case none
    case pong
    case echo
    /// PONG: it has done its work by arriving.
    case swallow
    case disconnect
    case handle
    case handleAsync
}

/// It is not copyable, so calling its handler through a pointer to it retains nothing.
struct Route: ~Copyable {
    let action: RouteAction
    /// Not optional: unwrapping a closure retains it. Without meaning unless `action` is `handle`.
    private let handler: Handler
    let asyncHandler: AsyncHandler?

    init(_ action: RouteAction) {
        self.action = action
        handler = { _, _, _ in }
        asyncHandler = nil
    }

    /// Called on the borrowed route: reading the closure out of it first would retain it for the call.
    @inline(never)
    borrowing func handle(_ message: borrowing MessageView, _ context: Context, _ reply: inout Reply) {
        handler(message, context, &reply)
    }

    init(_ registration: Dispatcher.Registration, shard: Int) {
        switch registration {
        case .shared(let shared): (action, handler, asyncHandler) = (.handle, shared, nil)
        case .perShard(let factory): (action, handler, asyncHandler) = (.handle, factory(shard), nil)
        case .async(let async): (action, handler, asyncHandler) = (.handleAsync, { _, _, _ in }, async)
        }
    }

    /// The same handler for another kind of message: it shares what its factory made.
    init(sharing route: borrowing Route) {
        (action, handler, asyncHandler) = (route.action, route.handler, route.asyncHandler)
    }
}

package struct Routes: ~Copyable {
    private let kinds: UnsafeMutablePointer<Route>
    private let commands: CommandTable
    let packetHandler: PacketHandler?
    /// Echo has its built-in answer.
    let echoes: Bool
    /// Without security they mean nothing: they go where unknown messages go.
    private static let handshakes: [MessageKind] = [.handshakeInit, .handshakeResponse, .handshakeConfirm]

    package init(_ dispatcher: Dispatcher, systemAliases: Bool, shard: Int) {
        kinds = .allocate(capacity: MessageKind.allCases.count)
        for kind in MessageKind.allCases where !Routes.handshakes.contains(kind) {
            (kinds + Int(kind.rawValue)).initialize(to: Routes.route(for: kind, dispatcher, shard: shard))
        }
        // Not by their registration: its factory would be called once for each of them.
        for kind in Routes.handshakes {
            let unknown = kinds + Int(MessageKind.unknown.rawValue)
            (kinds + Int(kind.rawValue)).initialize(to: Route(sharing: unknown.pointee))
        }
        echoes = (kinds + Int(MessageKind.echo.rawValue)).pointee.action == .echo
        commands = CommandTable(dispatcher, systemAliases: systemAliases, shard: shard)
        packetHandler = dispatcher.packetHandler?(shard)
    }

    deinit {
        kinds.deinitialize(count: MessageKind.allCases.count)
        kinds.deallocate()
    }

    /// The route of a message.
    @inline(__always)
    func route(_ payload: RawSpan, _ layout: MessageLayout) -> UnsafeMutablePointer<Route> {
        if layout.kind == .custom, let route = commands.find(payload.extracting(layout.first)) { return route }
        return kinds + Int(layout.kind.rawValue)
    }

    private static func route(for kind: MessageKind, _ dispatcher: Dispatcher, shard: Int) -> Route {
        func registered(_ selector: MessageSelector, or action: RouteAction) -> Route {
            dispatcher.registrations[Dispatcher.Key(selector)].map { Route($0, shard: shard) } ?? Route(action)
        }
        return switch kind {
        case .ping: registered(.ping, or: .pong)
        case .echo: registered(.echo, or: .echo)
        case .pong: Route(.swallow)
        case .disconnect: Route(.disconnect)
        case .custom: registered(.anyCommand, or: .none)
        case .handshakeInit, .handshakeResponse, .handshakeConfirm, .unknown: registered(.unknown, or: .none)
        }
    }
}

/// Custom command names and their routes: open addressing, at most half full, frozen.
private struct CommandTable: ~Copyable {
    private struct Entry {
        var hash: UInt64 = 0
        var name: UnsafeRawBufferPointer?
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let routes: UnsafeMutablePointer<Route>
    private let slotCount: Int

    init(_ dispatcher: Dispatcher, systemAliases: Bool, shard: Int) {
        let (ping, echo) = (Array("PING".utf8), Array("ECHO".utf8))
        var named: [[UInt8]: Dispatcher.Registration?] = [:]
        if systemAliases { (named[ping], named[echo]) = (.some(nil), .some(nil)) }
        for (key, registration) in dispatcher.registrations {
            if case .command(let name) = key { named[name] = registration }
        }
        slotCount = named.isEmpty ? 0 : 1 << (Int.bitWidth - (2 * named.count - 1).leadingZeroBitCount)
        entries = .allocate(capacity: max(slotCount, 1))
        entries.initialize(repeating: Entry(), count: slotCount)
        routes = .allocate(capacity: max(slotCount, 1))
        for (name, registration) in named {
            insert(name, registration.map { Route($0, shard: shard) } ?? Route(name == ping ? .pong : .echo))
        }
    }

    deinit {
        for slot in 0..<slotCount {
            guard let name = entries[slot].name else { continue }
            name.deallocate()
            (routes + slot).deinitialize(count: 1)
        }
        entries.deallocate()
        routes.deallocate()
    }

    private func insert(_ name: [UInt8], _ route: consuming Route) {
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: max(name.count, 1), alignment: 1)
        copy.copyBytes(from: name)
        let bytes = UnsafeRawBufferPointer(start: copy.baseAddress, count: name.count)
        let hash = CommandTable.hash(RawSpan(_unsafeBytes: bytes))
        var slot = Int(truncatingIfNeeded: hash) & (slotCount - 1)
        while entries[slot].name != nil { slot = (slot + 1) & (slotCount - 1) }
        entries[slot] = Entry(hash: hash, name: bytes)
        (routes + slot).initialize(to: route)
    }

    func find(_ name: RawSpan) -> UnsafeMutablePointer<Route>? {
        guard slotCount > 0 else { return nil }
        let hash = CommandTable.hash(name)
        var slot = Int(truncatingIfNeeded: hash) & (slotCount - 1)
        while let candidate = entries[slot].name {
            if entries[slot].hash == hash, CommandTable.isSame(candidate, name) { return routes + slot }
            slot = (slot + 1) & (slotCount - 1)
        }
        return nil
    }

    /// FNV-1a over at most 64 bytes: a long name from a stranger costs no more than a short one.
    private static func hash(_ name: RawSpan) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for offset in 0..<min(name.byteCount, 64) {
            // The hash is defined to wrap.
            hash = (hash ^ UInt64(name.unsafeLoad(fromByteOffset: offset, as: UInt8.self))) &* 0x0000_0100_0000_01B3
        }
        return hash
    }

    private static func isSame(_ name: UnsafeRawBufferPointer, _ other: RawSpan) -> Bool {
        guard name.count == other.byteCount else { return false }
        for offset in 0..<other.byteCount
        where name[offset] != other.unsafeLoad(fromByteOffset: offset, as: UInt8.self) { return false }
        return true
    }
}
