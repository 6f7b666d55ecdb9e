// What a running server was last told, and the sockets that belong to it. It decides what a reload comes to; it reaches
// shards only by the orders that it returns.

import ApusReactor
import ApusSecurity

struct LiveConfiguration: Sendable {
    private(set) var configuration: ServerConfiguration
    private(set) var table: ListenerTable
    /// Slots for connections that each shard has.
    let connectionsReserved: Int
    /// The one that holds what handshakes there were; nil while no listener has spoken NPRO's handshake.
    private var replay: ReplayTable?
    private var epoch: UInt64 = 0
    /// Somebody else accepts now.
    private(set) var isReleased = false
    private(set) var isEnding = false
    /// Paths of sockets that others may hold too: looked at when all of ours are closed.
    private var sharedFiles: [SocketFile] = []

    init(
        _ configuration: ServerConfiguration, _ table: ListenerTable, connectionsReserved: Int, _ shared: SharedState
    ) {
        self.configuration = configuration
        self.table = table
        self.connectionsReserved = connectionsReserved
        replay = configuration.isHandshakeSpoken ? shared.replay : nil
    }
}

// MARK: The end

extension LiveConfiguration {
    /// Nothing is listened on any more, and no path leads here: paths go while the sockets are open, since after that
    /// another server may have made the same path, and even have its inode.
    mutating func end() {
        guard !isEnding else { return }
        isEnding = true
        guard !isReleased else { return }
        // Whoever drains a server watches it: those paths go when all shards have ended.
        let staying = table.entries.filter { $0.configuration.session == .admin }
        sharedFiles += staying.compactMap(\.file)
        staying.forEach { $0.sockets.closeSockets() }
        leave(table.entries.filter { $0.configuration.session != .admin })
    }

    /// Another process goes on with all of it.
    mutating func release() {
        guard !isReleased, !isEnding else { return }
        isReleased = true
        for entry in table.entries { entry.sockets.closeSockets() }
    }

    /// Close our copies of these; shards close theirs.
    private mutating func leave(_ entries: [ListenerTable.Entry]) {
        for entry in entries {
            if let file = entry.file {
                if entry.isShared { sharedFiles.append(file) } else { file.removeIfOurs() }
            }
            entry.sockets.closeSockets()
        }
    }

    /// All shards have ended: whoever holds the last socket of a path removes it.
    mutating func removeAbandonedFiles() {
        sharedFiles.forEach { $0.removeIfAbandoned() }
        sharedFiles = []
    }

    /// Copies for another process; empty when there are none to give, or no descriptors for them.
    mutating func copyDescriptors() -> [(name: String, address: String, descriptors: [Int32])] {
        guard !isReleased, !isEnding else { return [] }
        var copies: [(name: String, address: String, descriptors: [Int32])] = []
        do throws(SystemError) {
            for entry in table.entries {
                let descriptors = try duplicate(entry.sockets.descriptors).map(\.number)
                copies.append((entry.configuration.name, entry.sockets.address.description, descriptors))
            }
            table.shareAll()
            return copies
        } catch {
            for copy in copies { copy.descriptors.forEach { closeDescriptor(Descriptor($0)) } }
            return []
        }
    }
}

// MARK: One listener's certificate

extension LiveConfiguration {
    /// The slot of a TLS listener, which has this material from now on.
    mutating func replaceTLS(_ material: TLSMaterial, of listener: String) throws(ServerError) -> Int {
        guard let index = table.entries.firstIndex(where: { $0.configuration.name == listener }) else {
            throw .invalidConfiguration(["listener \(listener): there is none of that name"])
        }
        guard case .tls = table.entries[index].configuration.security else {
            throw .invalidConfiguration(["listener \(listener): it does not speak TLS"])
        }
        guard material.settings.role == .server else {
            throw .invalidConfiguration(["listener \(listener): the TLS material is a client's"])
        }
        table.replaceSecurity(.tls(material), of: index)
        return Int(table.entries[index].slot)
    }
}

// MARK: Reload

/// All that a reload comes to, before anything of it holds.
struct PreparedReload: Sendable {
    var configuration: ServerConfiguration
    var report = ServerReload()
    var entries: [ListenerTable.Entry] = []
    /// Entries whose sockets are not used any more, and the slots of those that another listener has copies of.
    var left: [ListenerTable.Entry] = []
    var given = ListenerSet()
    /// Existing sockets on which options change.
    var options: [(sockets: Listeners, now: ListenerConfiguration, before: ListenerConfiguration)] = []
    /// Places in `entries` whose sockets are new to their listener, and of these the ones that were bound just now.
    var opened: [Int] = []
    var bound: [Int] = []
    /// Listeners of the configuration whose inherited sockets were looked at.
    var visitedCount = 0
    /// For each shard, in order.
    var orders: [ShardReload] = []
    var acceptors: [[ShardListener]] = []

    /// Nothing of it is to be: close what was opened for it.
    func undo() {
        ListenerTable.closeAll(acceptors)
        for index in opened {
            if bound.contains(index) { entries[index].sockets.close() } else { entries[index].sockets.closeSockets() }
        }
    }
}

extension LiveConfiguration {
    /// Decide what becomes of everything, and open and make what that needs. Whatever fails is thrown, and then nothing
    /// has changed.
    func prepare(_ wanted: ServerConfiguration, _ shared: SharedState) throws(ServerError) -> PreparedReload {
        var prepared = PreparedReload(configuration: wanted)
        keepWhatNeedsARestart(&prepared)
        do throws(ServerError) {
            guard !isEnding, !isReleased else {
                throw .invalidConfiguration(["reload: the server is shutting down, or has handed its listeners on"])
            }
            let problems = prepared.configuration.problems()
            guard problems.isEmpty else { throw .invalidConfiguration(problems) }
            try openListeners(&prepared, shared)
            try makeOrders(&prepared, shared)
            return prepared
        } catch {
            prepared.undo()
            for listener in wanted.listeners[prepared.visitedCount...] where isFresh(listener.inherited, of: listener) {
                listener.inherited.forEach { closeDescriptor(Descriptor($0)) }
            }
            throw error
        }
    }

    /// Descriptors that the server was not given before.
    private func isFresh(_ inherited: [Int32], of listener: ListenerConfiguration) -> Bool {
        !inherited.isEmpty && inherited != table.entry(named: listener.name)?.configuration.inherited
    }

    /// From here on it holds.
    mutating func commit(_ prepared: PreparedReload, _ shared: SharedState) {
        for change in prepared.options {
            do throws(SystemError) {
                try ListenerTable.prepare(change.sockets, for: change.now, instead: change.before)
            } catch {
                // The kernel took the same options on such a socket before; connections keep the ones it has.
            }
        }
        ListenerTable.count(prepared.acceptors, in: shared)
        shared.limitConnections(to: prepared.configuration.maxConnections)
        configuration = prepared.configuration
        table = ListenerTable(entries: prepared.entries)
        shared.vitals.directory.replace(with: table.records)
        epoch += 1
        if let order = prepared.orders.first, configuration.isHandshakeSpoken { replay = order.replay }
        for entry in prepared.left where prepared.given.contains(entry.slot) { entry.sockets.closeSockets() }
        leave(prepared.left.filter { !prepared.given.contains($0.slot) })
    }
}

// MARK: Settings

extension LiveConfiguration {
    /// What was sized when the server started stays; the report says what that is.
    private func keepWhatNeedsARestart(_ prepared: inout PreparedReload) {
        let wanted = prepared.configuration
        var needsRestart: [String] = []
        func keep<Value: Equatable>(_ name: String, _ path: WritableKeyPath<ServerConfiguration, Value>) {
            guard wanted[keyPath: path] != configuration[keyPath: path] else { return }
            needsRestart.append(name)
            prepared.configuration[keyPath: path] = configuration[keyPath: path]
        }
        keep("shards", \.shards)
        keep("memory_budget", \.memoryBudgetPerShard)
        keep("system_aliases", \.systemAliases)
        if replay != nil { keep("max_handshake_rate", \.handshakesPerSecondMax) }
        let budgetMin = Limits.memoryBudgetMin(payloadByteCountMax: wanted.payloadByteCountMax)
        if budgetMin > configuration.memoryBudgetPerShard { keep("max_payload_size", \.payloadByteCountMax) }
        limitConnections(&prepared, &needsRestart)
        prepared.report.needsRestart = needsRestart
        prepared.report.applied = prepared.configuration.differences(from: configuration)
    }

    /// As many as are asked for, as far as slots and the process's descriptors reach.
    private func limitConnections(_ prepared: inout PreparedReload, _ needsRestart: inout [String]) {
        let wanted = prepared.configuration.maxConnections
        let possible = Limits.connections(
            configured: wanted, descriptors: raiseDescriptorLimit(),
            listeners: prepared.configuration.listeners.count, shards: configuration.shards)
        if possible > connectionsReserved { needsRestart.append("max_connections") }
        prepared.configuration.maxConnections = min(possible, connectionsReserved)
    }
}

// MARK: Listeners

extension LiveConfiguration {
    private func openListeners(_ prepared: inout PreparedReload, _ shared: SharedState) throws(ServerError) {
        var spare = table.entries.filter { entry in
            // Sockets that their listener gives up may be what another asks for: a listener is renamed so.
            let namesake = prepared.configuration.listeners.first { $0.name == entry.configuration.name }
            return !(namesake.map { keeps(entry, $0) } ?? false)
        }
        for listener in prepared.configuration.listeners {
            let old = table.entry(named: listener.name)
            let slot = if let old { old.slot } else { try freeSlot(prepared, shared, for: listener) }
            prepared.visitedCount += 1
            if let old, keeps(old, listener) {
                keep(old, as: listener, &prepared)
            } else {
                prepared.entries.append(try open(listener, slot: slot, &spare, &prepared))
            }
            note(listener, old, &prepared)
        }
        let names = prepared.configuration.listeners.map(\.name)
        prepared.report.removed = table.entries.map(\.configuration.name).filter { !names.contains($0) }
        prepared.left = table.entries.filter { old in
            !prepared.entries.enumerated().contains { index, entry in
                entry.slot == old.slot && !prepared.opened.contains(index)
            }
        }
    }

    /// Whether a listener of this name goes on with the sockets it has.
    private func keeps(_ entry: ListenerTable.Entry, _ listener: ListenerConfiguration) -> Bool {
        !isFresh(listener.inherited, of: listener) && isAddress(listener.address, of: entry)
    }

    private func isAddress(_ address: String, of entry: ListenerTable.Entry) -> Bool {
        address == entry.configuration.address || address == entry.sockets.address.description
    }

    private func keep(
        _ old: ListenerTable.Entry, as listener: ListenerConfiguration, _ prepared: inout PreparedReload
    ) {
        var entry = old
        entry.configuration = listener
        // What it was given once belongs to it; the numbers are not looked at again.
        entry.configuration.inherited = old.configuration.inherited
        prepared.entries.append(entry)
        if !listener.hasSameOptions(as: old.configuration) {
            prepared.options.append((entry.sockets, listener, old.configuration))
        }
    }

    /// New sockets, or copies of those that another listener gives up.
    private func open(
        _ listener: ListenerConfiguration, slot: UInt8, _ spare: inout [ListenerTable.Entry],
        _ prepared: inout PreparedReload
    ) throws(ServerError) -> ListenerTable.Entry {
        let isInherited = isFresh(listener.inherited, of: listener)
        let place = isInherited || listener.takesAnyPort
            ? nil : spare.firstIndex { isAddress(listener.address, of: $0) }
        if let place { return try take(spare.remove(at: place), as: listener, slot: slot, &prepared) }
        var listener = listener
        // Numbers that were ours once may be anything by now.
        if !isInherited { listener.inherited = [] }
        let sockets = try ListenerTable.open(listener, shards: configuration.shards)
        prepared.opened.append(prepared.entries.count)
        if !isInherited { prepared.bound.append(prepared.entries.count) }
        return ListenerTable.Entry(slot: slot, configuration: listener, sockets: sockets, isShared: isInherited)
    }

    private func take(
        _ given: ListenerTable.Entry, as listener: ListenerConfiguration, slot: UInt8,
        _ prepared: inout PreparedReload
    ) throws(ServerError) -> ListenerTable.Entry {
        var listener = listener
        listener.inherited = given.configuration.inherited
        do throws(SystemError) {
            let sockets = try given.sockets.copied()
            prepared.opened.append(prepared.entries.count)
            prepared.given.insert(given.slot)
            if !listener.hasSameOptions(as: given.configuration) {
                prepared.options.append((sockets, listener, given.configuration))
            }
            return ListenerTable.Entry(
                slot: slot, configuration: listener, sockets: sockets, isShared: given.isShared)
        } catch {
            throw .cannotBind("listener \(listener.name): \(error)")
        }
    }

    /// A slot that nothing refers to: no listener, no acceptor that is still closing, no connection.
    private func freeSlot(
        _ prepared: PreparedReload, _ shared: SharedState, for listener: ListenerConfiguration
    ) throws(ServerError) -> UInt8 {
        let taken = (table.entries + prepared.entries).map(\.slot)
        let slots = 0..<UInt8(Limits.listenersMax)
        guard let slot = slots.first(where: { !taken.contains($0) && !shared.listenerUses.isUsed($0) }) else {
            throw .cannotBind(
                "listener \(listener.name): \(Limits.listenersMax) listeners are in use, those that were removed and "
                    + "still have connections among them: remove listeners, or try again when connections have ended")
        }
        return slot
    }

    private func note(
        _ listener: ListenerConfiguration, _ old: ListenerTable.Entry?, _ prepared: inout PreparedReload
    ) {
        guard let old else { return prepared.report.added.append(listener.name) }
        let isSame = keeps(old, listener) && listener.hasSameOptions(as: old.configuration)
            && listener.session == old.configuration.session
            && listener.proxyProtocol == old.configuration.proxyProtocol
            && listener.security.isSame(as: old.configuration.security)
        if !isSame { prepared.report.changed.append(listener.name) }
    }
}

// MARK: Orders for the shards

extension LiveConfiguration {
    private func makeOrders(_ prepared: inout PreparedReload, _ shared: SharedState) throws(ServerError) {
        let fresh = prepared.opened.map { prepared.entries[$0] }
        do throws(SystemError) {
            prepared.acceptors = try ListenerTable.handOut(fresh, to: configuration.shards)
        } catch {
            throw .cannotBind("\(error)")
        }
        var leaving = ListenerSet()
        prepared.left.forEach { leaving.insert($0.slot) }
        let replay = replay ?? newReplayTable(for: prepared.configuration, shared)
        for _ in 0..<configuration.shards {
            prepared.orders.append(
                ShardReload(
                    epoch: epoch + 1, prepared.configuration, replay: replay,
                    changes: try changes(prepared, shared), leaving: leaving))
        }
    }

    /// No handshake has been completed yet, so there is none to remember.
    private func newReplayTable(for configuration: ServerConfiguration, _ shared: SharedState) -> ReplayTable {
        guard configuration.isHandshakeSpoken else { return shared.replay }
        return ReplayTable(handshakesPerSecond: configuration.handshakesPerSecondMax)
    }

    /// For one shard: each has TLS contexts of its own.
    private func changes(
        _ prepared: PreparedReload, _ shared: SharedState
    ) throws(ServerError) -> [ShardReload.Change] {
        var changes: [ShardReload.Change] = []
        for entry in prepared.entries {
            let (listener, old) = (entry.configuration, table.entry(named: entry.configuration.name))
            let isSecurityKept = old.map { listener.security.isSame(as: $0.configuration.security) } ?? false
            let isBeginningKept = listener.session == old?.configuration.session
                && listener.proxyProtocol == old?.configuration.proxyProtocol
            if isSecurityKept, isBeginningKept { continue }
            do throws(TLSConfigurationError) {
                let security = isSecurityKept ? nil : try PreparedGuard(listener.security, tickets: shared.tickets)
                changes.append(
                    ShardReload.Change(
                        slot: entry.slot, name: listener.name, session: listener.session,
                        isProxied: listener.proxyProtocol, security: security))
            } catch {
                throw .invalidConfiguration(["listener \(listener.name): \(error)"])
            }
        }
        return changes
    }
}
