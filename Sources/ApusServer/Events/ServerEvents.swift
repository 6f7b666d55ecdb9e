// All events of a server on their way to its sink: a lane for each shard, a short list for everybody else, and whether
// anything of a severity is wanted at all. Without a sink it holds nothing and wants nothing.

import ApusReactor
import Synchronization

package final class ServerEvents: Sendable {
    /// Events of threads that are no shard: a handful in a server's life.
    private static let othersMax = 1024
    /// Nothing is wanted.
    private static let none = UInt8.max

    private struct Others {
        var events: [LogEvent] = []
        var lostCount: UInt64 = 0
    }

    package let lanes: [ShardEventLane]
    let sink: (any ServerEventSink)?
    private let severityMin = Atomic<UInt8>(ServerEvents.none)
    private let others = Mutex(Others())
    private let listenerNames: Mutex<[String]>

    /// - Parameter sink: nil: events are neither made nor kept.
    package init(
        sink: (any ServerEventSink)? = nil, shardCount: Int = 0, listenerNames: [String] = []
    ) throws(SystemError) {
        self.sink = sink
        self.listenerNames = Mutex(listenerNames)
        var lanes: [ShardEventLane] = []
        if sink != nil {
            for _ in 0..<shardCount { lanes.append(try ShardEventLane()) }
        }
        self.lanes = lanes
        _ = updateSeverity()
    }

    /// Whether an event of this severity is worth making.
    @inline(__always)
    func wants(_ severity: ServerEvent.Severity) -> Bool {
        severity.rawValue >= severityMin.load(ordering: .relaxed)
    }

    /// Ask the sink anew what it wants.
    func updateSeverity() -> ServerEvent.Severity? {
        let severity = sink?.severityMin
        severityMin.store(severity?.rawValue ?? ServerEvents.none, ordering: .relaxed)
        return severity
    }

    /// From a thread that is no shard.
    package func post(_ kind: ServerEvent.Kind, listener: Int? = nil) {
        guard wants(kind.severity) else { return }
        var event = LogEvent(kind)
        event.listener = listener.flatMap { UInt8(exactly: $0) }
        others.withLock { others in
            if others.events.count < ServerEvents.othersMax {
                others.events.append(event)
            } else {
                others.lostCount += 1
            }
        }
    }

    func takeOthers() -> [LogEvent] {
        others.withLock { others in
            defer { others.events = [] }
            return others.events
        }
    }

    /// Events that found no room, in all.
    package var lostCount: UInt64 {
        lanes.reduce(others.withLock { $0.lostCount }) { $0 + $1.lostCount }
    }

    func heldBackCount(_ name: ServerEvent.Name) -> UInt64 { lanes.reduce(0) { $0 + $1.heldBackCount(name) } }

    /// A reload has given this slot to a listener. What had it before has no connections any more.
    func nameListener(_ name: String, slot: Int) {
        listenerNames.withLock { names in
            if slot >= names.count { names += repeatElement("", count: slot + 1 - names.count) }
            names[slot] = name
        }
    }

    func listenerName(_ index: UInt8?) -> String? {
        guard let index else { return nil }
        return listenerNames.withLock { Int(index) < $0.count ? $0[Int(index)] : nil }
    }
}
