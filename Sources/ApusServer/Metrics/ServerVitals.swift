// What observers of a server need and no shard touches: when it started, what it listens on, whether it may call itself
// ready, and what became of reloads.

import ApusReactor
import ApusSecurity
import Synchronization

package final class ServerVitals: Sendable {
    package let started = monotonicNow()
    package let startedUnixMilliseconds = WallClock.milliseconds()
    package let directory = ListenerDirectory()
    private let reloadsApplied = Atomic<UInt64>(0)
    private let reloadsRefused = Atomic<UInt64>(0)
    private let unreadiness = Mutex<String?>(nil)
    /// Admin connections; they are not among those that `max_connections` limits.
    private let admins = Atomic<Int>(0)

    package init() {}

    package func countReload(isApplied: Bool) {
        if isApplied {
            reloadsApplied.add(1, ordering: .relaxed)
        } else {
            reloadsRefused.add(1, ordering: .relaxed)
        }
    }

    package var reloads: (applied: UInt64, refused: UInt64) {
        (reloadsApplied.load(ordering: .relaxed), reloadsRefused.load(ordering: .relaxed))
    }

    /// Why the owner does not want more work; nil: it does.
    package var unreadyReason: String? {
        get { unreadiness.withLock { $0 } }
        set { unreadiness.withLock { $0 = newValue } }
    }

    /// One more admin connection; false when there are as many as may be.
    func admitAdmin() -> Bool {
        if admins.add(1, ordering: .relaxed).newValue <= Limits.adminConnectionsMax { return true }
        releaseAdmin()
        return false
    }

    func releaseAdmin() { admins.subtract(1, ordering: .relaxed) }
}

/// A listener as observers see it.
package struct ListenerRecord: Equatable, Sendable {
    package enum Transport: String, Sendable {
        case tcp, unix
    }

    package var name: String
    /// As bound.
    package var address: String
    package var session: SessionKind
    package var security: String
    /// Of its certificate: the first and last second since 1970 in which it is good. Nil without TLS.
    package var validity: ClosedRange<Int64>?
    /// Its row in every shard's `ListenerCounterTable`.
    package var place: UInt8
    package var isAccepting = true
    package var adminPaths: AdminScope

    package init(_ configuration: ListenerConfiguration, address: String, place: UInt8) {
        name = configuration.name
        self.address = address
        session = configuration.session
        security = configuration.security.label
        validity = configuration.security.validity
        adminPaths = configuration.adminPaths
        self.place = place
    }

    package var transport: Transport { address.hasPrefix("unix:") ? .unix : .tcp }

    /// Bound to this host only.
    var isLoopback: Bool { address.hasPrefix("127.") || address.hasPrefix("[::1]:") }
}

/// The listeners there are, in the order of the configuration. Changed by a reload, read by observers.
package final class ListenerDirectory: Sendable {
    private let records = Mutex<[ListenerRecord]>([])

    package init() {}

    package var all: [ListenerRecord] { records.withLock { $0 } }

    package func replace(with records: [ListenerRecord]) { self.records.withLock { $0 = records } }

    package func replaceValidity(_ validity: ClosedRange<Int64>?, of name: String) {
        records.withLock { records in
            for index in records.indices where records[index].name == name { records[index].validity = validity }
        }
    }

    /// No listener accepts any more.
    package func stopAccepting() {
        records.withLock { records in
            for index in records.indices { records[index].isAccepting = false }
        }
    }

    /// The record of a listener by its place; nil when it was removed.
    package func record(at place: UInt8) -> ListenerRecord? { all.first { $0.place == place } }
}

extension ListenerSecurity {
    /// The name in metrics, as in the configuration.
    var label: String {
        switch self {
        case .none: "none"
        case .handshake: "handshake"
        case .tls: "tls"
        }
    }

    var validity: ClosedRange<Int64>? {
        guard case .tls(let material) = self else { return nil }
        return material.validity
    }
}

extension TLSMaterial {
    /// The seconds since 1970 in which its certificate is good; nil without one.
    var validity: ClosedRange<Int64>? {
        certificate.map { $0.notBefore...max($0.notBefore, $0.notAfter) }
    }
}
