// When the requests that are outstanding were sent: for each connection a ring of (time, count), oldest first. A batch
// that went out in one send has one stamp.

import ApusReactor

struct Stamp: BitwiseCopyable, Equatable {
    var sentAt: Instant
    var count: Int
}

struct SendStamps: ~Copyable {
    /// Of each connection: every stamp counts at least one of the requests that it may have outstanding.
    private let capacity: Int
    // Allocated here and freed in `deinit`; `place` keeps every index inside.
    private let stamps: UnsafeMutablePointer<Stamp>
    /// How many were ever taken and added; their difference is what is there, and their low bits are places.
    private let taken: UnsafeMutablePointer<UInt32>
    private let added: UnsafeMutablePointer<UInt32>

    /// - Parameter outstandingMax: requests of one connection; with zero nothing is kept, for a load that asks nobody.
    init(connections: Int, outstandingMax: Int) {
        var capacity = 1
        while capacity < outstandingMax { capacity *= 2 }
        self.capacity = outstandingMax == 0 ? 0 : capacity
        stamps = .allocate(capacity: self.capacity * connections)
        taken = .allocate(capacity: connections)
        added = .allocate(capacity: connections)
        taken.initialize(repeating: 0, count: connections)
        added.initialize(repeating: 0, count: connections)
    }

    deinit {
        stamps.deallocate()
        taken.deallocate()
        added.deallocate()
    }

    @inline(__always)
    mutating func add(_ stamp: Stamp, to connection: Int) {
        guard capacity > 0 else { return }
        // Ring arithmetic: the counters wrap at 32 bits, and their difference stays right.
        let count = added[connection] &- taken[connection]
        precondition(count < UInt32(capacity), "more is outstanding than was announced")
        stamps[place(added[connection], of: connection)] = stamp
        added[connection] &+= 1
    }

    /// The oldest requests that share a stamp, at most `countMax` of them; nil when none is left.
    @inline(__always)
    mutating func take(_ countMax: Int, from connection: Int) -> Stamp? {
        // Ring arithmetic, as above.
        guard capacity > 0, added[connection] &- taken[connection] > 0 else { return nil }
        let oldest = place(taken[connection], of: connection)
        let stamp = stamps[oldest]
        if stamp.count > countMax {
            stamps[oldest].count = stamp.count - countMax
            return Stamp(sentAt: stamp.sentAt, count: countMax)
        }
        taken[connection] &+= 1
        return stamp
    }

    @inline(__always)
    private func place(_ number: UInt32, of connection: Int) -> Int {
        connection * capacity + Int(number) & (capacity - 1)
    }
}
