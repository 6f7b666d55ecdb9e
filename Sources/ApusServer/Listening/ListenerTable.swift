// The listeners of a server as its owner holds them: their sockets, and the slot by which shards know each. Shards
// accept on copies of the sockets, so these stay good for handing on, whatever a shard does.

import ApusReactor

struct ListenerTable: Sendable {
    struct Entry: Sendable {
        let slot: UInt8
        var configuration: ListenerConfiguration
        /// Ours, beside the shards' copies.
        var sockets: Listeners
        /// Another process may hold them too: it had them first, or was given copies.
        var isShared: Bool
    }

    /// In the order of the configuration.
    private(set) var entries: [Entry] = []

    init() {}

    /// Bind what is to be bound, and take over what is inherited.
    init(opening configuration: ServerConfiguration) throws(ServerError) {
        for (index, listener) in configuration.listeners.enumerated() {
            do throws(ServerError) {
                let sockets = try ListenerTable.open(listener, shards: configuration.shards)
                entries.append(
                    Entry(
                        slot: UInt8(index), configuration: listener, sockets: sockets,
                        isShared: !listener.inherited.isEmpty))
            } catch {
                close()
                // Those that were not looked at are ours too.
                for later in configuration.listeners[(index + 1)...] {
                    later.inherited.forEach { closeDescriptor(Descriptor($0)) }
                }
                throw error
            }
        }
    }

    init(entries: [Entry]) { self.entries = entries }

    /// `HOST:PORT`, the port as bound, or `unix:PATH`, in the order of the configuration.
    var addresses: [String] { entries.map(\.sockets.address.description) }

    func entry(named name: String) -> Entry? { entries.first { $0.configuration.name == name } }

    mutating func shareAll() {
        for index in entries.indices { entries[index].isShared = true }
    }

    mutating func replaceSecurity(_ security: ListenerSecurity, of index: Int) {
        entries[index].configuration.security = security
    }

    /// Close everything and leave no path that we made.
    func close() {
        for entry in entries {
            if entry.isShared { entry.sockets.closeSockets() } else { entry.sockets.close() }
        }
    }
}

// MARK: Opening

extension ListenerTable {
    /// The sockets of one listener. What it inherits is ours from here on, also when this fails.
    static func open(_ listener: ListenerConfiguration, shards: Int) throws(ServerError) -> Listeners {
        let sockets = try openUnprepared(listener, shards: shards)
        do throws(SystemError) {
            try prepare(sockets, for: listener, instead: nil)
            return sockets
        } catch {
            if listener.inherited.isEmpty { sockets.close() } else { sockets.closeSockets() }
            throw .cannotBind("listener \(listener.name): \(error)")
        }
    }

    private static func openUnprepared(
        _ listener: ListenerConfiguration, shards: Int
    ) throws(ServerError) -> Listeners {
        do {
            if !listener.inherited.isEmpty { return try Listeners.adopt(listener.inherited.map(Descriptor.init)) }
            return try Listeners.open(at: SocketAddress(parsing: listener.address), count: shards)
        } catch let error as AddressError {
            throw .invalidConfiguration(["listener \(listener.name): \(error)"])
        } catch {
            throw .cannotBind("listener \(listener.name): \(error)")
        }
    }

    /// What accepted sockets inherit from the one that listens.
    static func prepare(
        _ sockets: Listeners, for listener: ListenerConfiguration, instead old: ListenerConfiguration?
    ) throws(SystemError) {
        guard sockets.address.family != .unix else { return }
        for socket in sockets.descriptors {
            if let byteCount = listener.sendBufferByteCount {
                try setSendBuffer(byteCount: byteCount, on: socket)
            } else if old?.sendBufferByteCount != nil {
                try releaseSendBuffer(on: socket)
            }
            try setNotSentLowWater(byteCount: listener.notSentByteCountMax ?? 0, on: socket)
            try setUserTimeout(listener.userTimeout.map { Nanoseconds($0) } ?? 0, on: socket)
        }
    }
}

// MARK: Who accepts

extension ListenerTable.Entry {
    /// Which shard accepts on what, each with a copy of its own; appended to `shards`, one list for each. There may be
    /// fewer sockets than shards (a UNIX path, what a service manager hands over) or more (what a process with more
    /// shards handed on): where not all shards have the same number, connections are shared out.
    func handOut(to shards: inout [[ShardListener]]) throws(SystemError) {
        let copies = try duplicate(sockets.descriptors)
        let sharesOut = copies.count % shards.count != 0
        for (index, copy) in copies.enumerated() {
            shards[index % shards.count].append(ShardListener(copy, listener: slot, sharesOut: sharesOut))
        }
    }

    /// The file of a UNIX socket, if it is for us to remove.
    var file: SocketFile? { configuration.keepsPath ? nil : sockets.file }
}

extension ListenerTable {
    /// What each shard accepts on; nothing is open that was not before when this throws.
    func handOut(to shardCount: Int) throws(SystemError) -> [[ShardListener]] {
        try ListenerTable.handOut(entries, to: shardCount)
    }

    static func handOut(_ entries: [Entry], to shardCount: Int) throws(SystemError) -> [[ShardListener]] {
        var shards = [[ShardListener]](repeating: [], count: shardCount)
        do throws(SystemError) {
            for entry in entries { try entry.handOut(to: &shards) }
            return shards
        } catch {
            closeAll(shards)
            throw error
        }
    }

    /// Of shards that never ran, or never heard of them.
    static func closeAll(_ shards: [[ShardListener]]) {
        for listeners in shards { listeners.forEach { closeDescriptor($0.descriptor) } }
    }

    /// Shards are about to own these: each is a use of its slot.
    static func count(_ shards: [[ShardListener]], in shared: SharedState) {
        for listener in shards.joined() {
            shared.listenerUses.add(to: listener.listener)
            if listener.sharesOut { shared.sharingAcceptors.add(1, ordering: .relaxed) }
        }
    }
}
