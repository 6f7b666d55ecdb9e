// What a shard counts for each listener: one row a listener, rows for all there can be, so that a listener that is
// added while the server runs needs no new memory.

package struct ListenerCounters: ~Copyable, Sendable {
    package let accepted = Counter()
    package let closed = Counter()
    package let messages = Counter()
    package let bytesReceived = Counter()
    package let bytesSent = Counter()

    package init() {}

    /// The row belongs to another listener from now on; only while the shard has no connection of the former.
    func reset() {
        accepted.reset()
        closed.reset()
        messages.reset()
        bytesReceived.reset()
        bytesSent.reset()
    }
}

package struct ListenerCounterTable: ~Copyable, Sendable {
    // Atomic counters in memory of their own that lives as long as its owner.
    private nonisolated(unsafe) let rows: UnsafeMutablePointer<ListenerCounters>

    package init() {
        rows = .allocate(capacity: Limits.listenersMax)
        for index in 0..<Limits.listenersMax { (rows + index).initialize(to: ListenerCounters()) }
    }

    deinit {
        rows.deinitialize(count: Limits.listenersMax)
        rows.deallocate()
    }

    /// The row of a listener; valid as long as the table.
    @inline(__always)
    package subscript(listener: UInt8) -> UnsafeMutablePointer<ListenerCounters> {
        precondition(listener < Limits.listenersMax)
        return rows + Int(listener)
    }
}
