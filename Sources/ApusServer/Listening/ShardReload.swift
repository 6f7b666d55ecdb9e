// What one shard is told by a reload, all of it at once. It was prepared by the thread that reloads: nothing here can
// fail any more.

import ApusSecurity

package final class ShardReload: Sendable {
    /// What a shard needs to know of a listener that is new or has changed.
    struct Change: Sendable {
        let slot: UInt8
        let name: String
        let session: SessionKind
        let isProxied: Bool
        /// Nil: as it was.
        let security: PreparedGuard?
    }

    /// Reloads of a server, counted.
    let epoch: UInt64
    let limits: Limits
    let unknownCommand: UnknownCommand
    let addressPolicy: AddressPolicy
    let replay: ReplayTable
    let relay: RelaySettings?
    let changes: [Change]
    /// Listeners whose present sockets are left.
    let leaving: ListenerSet

    init(
        epoch: UInt64, _ configuration: ServerConfiguration, replay: ReplayTable, changes: [Change],
        leaving: ListenerSet
    ) {
        self.epoch = epoch
        limits = Limits(configuration)
        unknownCommand = configuration.unknownCommand
        addressPolicy = AddressPolicy(configuration.addressLimits)
        self.replay = replay
        relay = configuration.relay.map { RelaySettings($0) }
        self.changes = changes
        self.leaving = leaving
    }

    /// Other limits, and sockets that are left; listeners stay what they are.
    package convenience init(
        epoch: UInt64, _ configuration: ServerConfiguration, leaving slots: [UInt8], in shared: SharedState
    ) {
        var leaving = ListenerSet()
        slots.forEach { leaving.insert($0) }
        self.init(epoch: epoch, configuration, replay: shared.replay, changes: [], leaving: leaving)
    }
}
