// Changing a server while it runs: other settings and listeners, and handing the listeners on to another process.

import ApusReactor
import ApusSecurity

extension ServerHandle {
    /// Take over another configuration while connections go on: all of it, or nothing.
    ///
    /// Addresses are parsed, new sockets bound and TLS contexts made first; whatever fails is thrown, counted
    /// (`ServerMetrics.reloadsRefused`), and nothing has changed. Then every shard takes it over in one turn. No
    /// connection is dropped:
    ///
    /// - Listeners are told apart by their names. One that is new is bound and accepts at once. One that is gone
    ///   accepts no more; its connections go on under their old settings until they end. One with another address
    ///   accepts there before the old address closes. One that only has another name keeps its sockets.
    /// - A listener's session, security and socket options, and `payloadByteCountMax`, hold for connections that begin
    ///   from now on. All other limits and timeouts hold for every connection; a timeout that became shorter counts
    ///   from now.
    /// - `shards`, `memoryBudgetPerShard`, `systemAliases`, `handshakesPerSecondMax` once NPRO's handshake is spoken,
    ///   `maxConnections` beyond what was reserved at start (four times the configured number, as far as descriptors
    ///   reach), and `payloadByteCountMax` beyond what the memory budget carries stay as they are; `needsRestart` names
    ///   them.
    ///
    /// Blocks for binding and for reading keys, not for shards: they follow within a turn. A server has 64 places for
    /// listeners, those that were removed and still have connections among them.
    ///
    /// - Parameter configuration: all of it, listeners that stay among it. `inherited` of a listener that has these
    ///   descriptors already is not looked at again; other numbers are new sockets for it, which the server then owns.
    public func reload(_ configuration: ServerConfiguration) throws(ServerError) -> ServerReload {
        do throws(ServerError) {
            let report = try live.value.withLock { live throws(ServerError) in
                let prepared = try live.prepare(configuration, shared)
                live.commit(prepared, shared)
                for entry in live.table.entries {
                    shared.events.nameListener(entry.configuration.name, slot: Int(entry.slot))
                }
                send(prepared)
                for entry in live.table.entries where prepared.report.added.contains(entry.configuration.name) {
                    shared.events.post(.listening, listener: Int(entry.slot))
                }
                return prepared.report
            }
            shared.vitals.countReload(isApplied: true)
            shared.events.post(
                .reloadApplied(
                    added: Int32(report.added.count), removed: Int32(report.removed.count),
                    changed: Int32(report.changed.count)))
            return report
        } catch {
            shared.vitals.countReload(isApplied: false)
            shared.events.post(.reloadRefused)
            throw error
        }
    }

    /// First what all shards must know, then who accepts: a shard that is handed a connection of a listener it has not
    /// heard of finds the word in its inbox.
    private func send(_ prepared: PreparedReload) {
        for (inbox, order) in zip(inboxes, prepared.orders) { _ = inbox.post(.reload(order)) }
        for (inbox, added) in zip(inboxes, prepared.acceptors) where !added.isEmpty { _ = inbox.post(.accept(added)) }
    }

    /// Copies of all listening sockets, for a process that is to go on with them (`ListenerConfiguration.inherited`);
    /// this server accepts as before. The caller closes them; they close by themselves on `exec`. Empty when the
    /// listeners are closed or handed on already, or no descriptors are left.
    public func copyListeningDescriptors() -> [(name: String, address: String, descriptors: [Int32])] {
        live.value.withLock { $0.copyDescriptors() }
    }

    /// Stop accepting and close the listening sockets, since another process accepts on copies of them: what this one
    /// had accepted until the kernel let go is served, connections that wait in the sockets' queues are the other's,
    /// and paths of UNIX sockets stay. Connections go on; a shutdown is usually next.
    public func releaseListeners() {
        live.value.withLock { live in
            guard !live.isReleased, !live.isEnding else { return }
            live.release()
            // A shutdown may come before shards have heard of this.
            shared.handOnListeners()
            shared.vitals.directory.stopAccepting()
            inboxes.forEach { _ = $0.post(.releaseListeners) }
        }
    }
}
