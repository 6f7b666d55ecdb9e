// How many connections each host has, and how fast it opens them, for the whole process. All shards write it and none
// waits for another: each entry is two atomic words. It knows hosts, not sockets.

import Synchronization

/// What one host may do; without a limit it may do everything.
package struct HostAllowance: Sendable {
    package var rate: RateLimit?
    package var connectionsMax: Int?

    package init(rate: RateLimit?, connectionsMax: Int?) {
        self.rate = rate
        self.connectionsMax = connectionsMax
    }
}

/// An entry, whose host has one connection more because of it; `none` counts for nobody.
package struct HostPlace: Equatable, BitwiseCopyable, Sendable {
    package static let none = HostPlace(bits: .max)
    package let bits: UInt32

    package init(bits: UInt32) { self.bits = bits }
}

/// An entry belongs to a host from its first connection on. It is free again once the host has no connection and its
/// rate owes nothing, so giving an entry to another host forgets nothing; nobody clears it:
///
///      63                                    24 23                     0
///     +----------------------------------------+------------------------+
///     | fingerprint of the host                | its open connections   |
///     +----------------------------------------+------------------------+
///     | when its rate owes nothing any more, in nanoseconds             |
///     +-----------------------------------------------------------------+
///
/// A host leads to one bucket of eight entries, by a hash that differs from process to process, so nobody can choose
/// where it goes. There are twice as many entries as connections. A bucket that is full all the same limits nobody who
/// comes to it: the limit of the process holds for them too, and refusing would let a crowd keep others out.
///
/// `@unchecked`: the words are atomic, and nothing else changes after `init`.
@safe
package final class HostTable: @unchecked Sendable {
    package enum Answer: Equatable, BitwiseCopyable, Sendable {
        /// To be given back with `release`.
        case admitted(HostPlace)
        case tooFast
        case tooMany
    }

    private static let entriesPerBucket = 8
    private static let entryByteCount = 16
    private static let countMask: UInt64 = 0x00FF_FFFF
    /// After so many lost races with other shards the host is not counted.
    private static let attemptsMax = 8

    private let bucketCount: Int
    private let memory: ReservedMemory

    package init(connectionsMax: Int) throws(SystemError) {
        bucketCount = HostTable.bucketCount(connectionsMax: connectionsMax)
        memory = try ReservedMemory(byteCount: HostTable.memoryByteCount(connectionsMax: connectionsMax), for: "hosts")
    }

    private static func bucketCount(connectionsMax: Int) -> Int {
        let entryCount = max(2 * connectionsMax, 4096)
        return (entryCount + entriesPerBucket - 1) / entriesPerBucket
    }

    /// What a table for so many connections reserves.
    package static func memoryByteCount(connectionsMax: Int) -> Int {
        bucketCount(connectionsMax: connectionsMax) * entriesPerBucket * entryByteCount
    }

    /// One more connection of this host, if its limits let it.
    package func admit(_ host: HostAddress, _ limits: HostAllowance, at now: Instant) -> Answer {
        var hasher = Hasher()
        hasher.combine(host)
        let hash = UInt64(bitPattern: Int64(hasher.finalize()))
        // Never zero, which is what nobody has yet.
        let fingerprint = (hash | 1 << 63) & ~HostTable.countMask
        let bucket = Int((hash & HostTable.countMask) % UInt64(bucketCount)) * HostTable.entriesPerBucket
        for _ in 0..<HostTable.attemptsMax {
            guard let index = find(fingerprint, from: bucket) ?? claim(fingerprint, from: bucket, at: now) else {
                return .admitted(.none)
            }
            if let answer = admit(fingerprint, index, limits, at: now) { return answer }
        }
        return .admitted(.none)
    }

    package func release(_ place: HostPlace) {
        guard place != .none else { return }
        tenant(Int(place.bits)).subtractOne()
    }

    /// Connections that are counted for all hosts; for tests.
    package var connectionCount: Int {
        (0..<bucketCount * HostTable.entriesPerBucket).reduce(0) { sum, index in
            sum + Int(tenant(index).value & HostTable.countMask)
        }
    }
}

// MARK: Entries

extension HostTable {
    private func find(_ fingerprint: UInt64, from bucket: Int) -> Int? {
        (bucket..<bucket + HostTable.entriesPerBucket).first { index in
            tenant(index).value & ~HostTable.countMask == fingerprint
        }
    }

    /// An entry that nobody needs any more, or one that another shard has given the host meanwhile; nil when there is
    /// none.
    private func claim(_ fingerprint: UInt64, from bucket: Int, at now: Instant) -> Int? {
        for index in bucket..<bucket + HostTable.entriesPerBucket {
            let found = tenant(index).value
            if found & ~HostTable.countMask == fingerprint { return index }
            guard found & HostTable.countMask == 0, full(index).value <= now.nanoseconds else { continue }
            let exchange = tenant(index).exchange(found, for: fingerprint)
            if exchange.isDone { return settle(fingerprint, on: index, from: bucket) }
            if exchange.found & ~HostTable.countMask == fingerprint { return index }
        }
        return nil
    }

    /// Two shards may each have claimed an entry: the first of the bucket counts. The words are read and written in one
    /// order for all, so one of the two sees the other's.
    private func settle(_ fingerprint: UInt64, on index: Int, from bucket: Int) -> Int {
        guard let first = find(fingerprint, from: bucket), first != index else { return index }
        // Unless it is in use already; then the host has two, until one is free again.
        _ = tenant(index).exchange(fingerprint, for: 0)
        return first
    }

    /// Nil: another shard was faster; look again.
    private func admit(_ fingerprint: UInt64, _ index: Int, _ limits: HostAllowance, at now: Instant) -> Answer? {
        let found = tenant(index).value
        guard found & ~HostTable.countMask == fingerprint else { return nil }
        let count = Int(found & HostTable.countMask)
        if count >= limits.connectionsMax ?? Int(HostTable.countMask) { return .tooMany }
        guard tenant(index).exchange(found, for: found + 1).isDone else { return nil }
        if let rate = limits.rate, !spend(rate, index, at: now) {
            release(HostPlace(bits: UInt32(index)))
            return .tooFast
        }
        return .admitted(HostPlace(bits: UInt32(index)))
    }

    private func spend(_ rate: RateLimit, _ index: Int, at now: Instant) -> Bool {
        var found = full(index).value
        while let next = rate.admit(Instant(nanoseconds: found), at: now) {
            let exchange = full(index).exchange(found, for: next.nanoseconds)
            if exchange.isDone { return true }
            found = exchange.found
        }
        return false
    }

    private func tenant(_ index: Int) -> SharedWord { word(2 * index) }
    private func full(_ index: Int) -> SharedWord { word(2 * index + 1) }

    /// Zeroed memory reads as an entry that nobody has.
    private func word(_ number: Int) -> SharedWord {
        // Each entry is two words; only what lies within the memory is reached.
        precondition(0..<2 * bucketCount * HostTable.entriesPerBucket ~= number, "no such entry")
        return unsafe SharedWord(at: memory.start + number * HostTable.entryByteCount / 2)
    }
}

/// A word that several threads write; its memory outlives it.
@safe
private struct SharedWord {
    private let atomic: UnsafeMutablePointer<Atomic<UInt64>>

    init(at start: UnsafeMutableRawPointer) { unsafe atomic = start.assumingMemoryBound(to: Atomic<UInt64>.self) }

    var value: UInt64 { unsafe atomic.pointee.load(ordering: .sequentiallyConsistent) }

    /// Done only while it is still what was found.
    func exchange(_ expected: UInt64, for desired: UInt64) -> (isDone: Bool, found: UInt64) {
        let (isDone, found) = unsafe atomic.pointee.compareExchange(
            expected: expected, desired: desired, ordering: .sequentiallyConsistent)
        return (isDone, found)
    }

    func subtractOne() { unsafe atomic.pointee.subtract(1, ordering: .relaxed) }
}
