// The client nonces of recent handshakes, for the whole process: the one structure of ours that every shard writes. No
// lock: each entry is one atomic word.

import Synchronization

/// An Init is accepted while its timestamp lies within 30 s behind and 2 s ahead of the server's clock, so for 32 s at
/// most. For longer than that a nonce that completed a handshake is remembered here, and refused from whatever address
/// and with whatever key and timestamp it comes again.
///
/// An entry is one word, 0 if it was never used. Its age says whether it is free again; nobody clears it:
///
///      63                                    24 23                     0
///     +----------------------------------------+------------------------+
///     | fingerprint of the nonce               | second of the entry    |
///     +----------------------------------------+------------------------+
///
/// A nonce leads to two buckets of 16 entries, by hashes under a random key, so that nobody can choose where it goes;
/// it is put into the emptier one. There are twice as many entries as `capacity`: so filled, the chance that both
/// buckets of a nonce are full is below 1 in 10^9. When they are, the handshake is refused. Two handshakes with the
/// same nonce at the very same time are both refused or one of them is, never none.
///
/// Each address may add `addressShare` entries in a period of 34 s, so that one alone cannot use up the table. They are
/// counted in two rows of counters of which the lower one is believed; a strange address whose two counters are both
/// those of busy ones is refused with them.
///
/// Memory: 16 bytes times the capacity, that is 1.1 MB for 2,000 handshakes a second, and 64 KiB of counters.
///
/// `@unchecked`: the words are atomic, and nothing else changes after `init`.
@safe
public final class ReplayTable: @unchecked Sendable {
    /// 50 million entries, 870 MB.
    public static let handshakesPerSecondLimit = 750_000

    public enum Answer: BitwiseCopyable, Sendable {
        case fresh
        case replayed
        case full
        case addressShare
    }

    /// Seconds that an entry counts; it is written in the course of a second, so it lives for 33 s at least.
    static let lifetimeSeconds: UInt64 = 33
    private static let entriesPerBucket = 16
    private static let countersPerRow = 4096

    /// Handshakes that fit into the lifetime of an entry.
    public let capacity: Int
    /// Handshakes of one address in 34 s.
    public let addressShare: Int
    private let bucketCount: Int
    private let entries: UnsafeMutablePointer<Atomic<UInt64>>
    private let counters: UnsafeMutablePointer<Atomic<UInt64>>
    private let hashKey: (UInt64, UInt64)

    /// - Parameters:
    ///   - handshakesPerSecond: the limit, 1 to `handshakesPerSecondLimit`.
    ///   - addressShare: at least 1; nil is half the capacity.
    public init(handshakesPerSecond: Int, addressShare: Int? = nil) {
        let isInRange = (1...ReplayTable.handshakesPerSecondLimit).contains(handshakesPerSecond)
        precondition(isInRange, "1 to 750,000 handshakes a second")
        capacity = handshakesPerSecond * Int(ReplayTable.lifetimeSeconds + 1)
        self.addressShare = max(1, addressShare ?? capacity / 2)
        bucketCount = ReplayTable.bucketCount(capacity: capacity)
        unsafe entries = ReplayTable.words(bucketCount * ReplayTable.entriesPerBucket)
        unsafe counters = ReplayTable.words(2 * ReplayTable.countersPerRow)
        var key: (UInt64, UInt64) = (0, 0)
        unsafe withUnsafeMutableBytes(of: &key) { unsafe SecureRandom.fill($0) }
        hashKey = key
    }

    private static func words(_ count: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        let words = UnsafeMutablePointer<Atomic<UInt64>>.allocate(capacity: count)
        for index in 0..<count { unsafe (words + index).initialize(to: Atomic(0)) }
        return unsafe words
    }

    deinit {
        unsafe entries.deallocate()
        unsafe counters.deallocate()
    }

    public var memoryByteCount: Int { ReplayTable.memoryByteCount(bucketCount: bucketCount) }

    /// What a table for so many takes.
    public static func memoryByteCount(handshakesPerSecond: Int) -> Int {
        memoryByteCount(bucketCount: bucketCount(capacity: handshakesPerSecond * Int(lifetimeSeconds + 1)))
    }

    private static func bucketCount(capacity: Int) -> Int { (2 * capacity + entriesPerBucket - 1) / entriesPerBucket }

    private static func memoryByteCount(bucketCount: Int) -> Int {
        (bucketCount * entriesPerBucket + 2 * countersPerRow) * MemoryLayout<UInt64>.size
    }

    /// Whether a handshake with this nonce was completed lately.
    public func contains(_ nonce: [UInt8], at monotonicNanoseconds: UInt64) -> Bool {
        let place = place(of: nonce)
        let now = ReplayTable.second(monotonicNanoseconds)
        return count(place, but: nil, now) > 0
    }

    /// Remember a handshake that is complete but for this. Only `.fresh` may go on.
    ///
    /// - Parameter peer: stands for an address.
    public func insert(_ nonce: [UInt8], from peer: UInt64, at monotonicNanoseconds: UInt64) -> Answer {
        let place = place(of: nonce)
        let now = ReplayTable.second(monotonicNanoseconds)
        if count(place, but: nil, now) > 0 { return .replayed }
        guard admit(peer, now) else { return .addressShare }
        guard let index = put(place, now) else { return .full }
        // Another thread may have put the same nonce elsewhere since we looked. Of two that both write and then look,
        // at least one sees the other, for all these accesses have one order.
        guard count(place, but: index, now) == 0 else {
            // Ours alone: nobody else writes this entry while it is live.
            unsafe entries[index].store(0, ordering: .sequentiallyConsistent)
            return .replayed
        }
        return .fresh
    }

    // MARK: Entries

    /// Where a nonce may be, as indices of entries, and its word without the time.
    private struct Place: BitwiseCopyable {
        let first: Int
        let second: Int
        let fingerprint: UInt64
    }

    private static let secondMask: UInt64 = 0xFF_FFFF

    /// Seconds wrap after half a year, and ages with them: an entry nobody overwrote for so long counts once more.
    private static func second(_ nanoseconds: UInt64) -> UInt64 { nanoseconds / 1_000_000_000 & secondMask }

    private func hash(_ value: some Hashable, _ purpose: UInt8) -> UInt64 {
        // SipHash, keyed by our own key too, since the standard library's can be fixed from outside.
        var hasher = Hasher()
        hasher.combine(hashKey.0)
        hasher.combine(hashKey.1)
        hasher.combine(purpose)
        hasher.combine(value)
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }

    private func place(of nonce: [UInt8]) -> Place {
        let (first, second) = (hash(nonce, 0), hash(nonce, 1))
        // One bit is always set, so that no entry looks unused.
        let fingerprint = (first ^ second) << 24 | 1 << 24
        return Place(first: bucket(first), second: bucket(second), fingerprint: fingerprint)
    }

    /// The index of a bucket's first entry: the hash, scaled.
    private func bucket(_ hash: UInt64) -> Int {
        Int(hash.multipliedFullWidth(by: UInt64(bucketCount)).high) * ReplayTable.entriesPerBucket
    }

    /// Clocks of two shards differ a little, so an entry may be from the future.
    private func isLive(_ word: UInt64, _ now: UInt64) -> Bool {
        let age = (now &- word) & ReplayTable.secondMask  // modulo 2^24, as the seconds are
        return word != 0 && (age <= ReplayTable.lifetimeSeconds || age > ReplayTable.secondMask - 60)
    }

    /// Live entries of this nonce, other than that at `own`.
    private func count(_ place: Place, but own: Int?, _ now: UInt64) -> Int {
        var count = count(place, in: place.first, but: own, now)
        if place.second != place.first { count += self.count(place, in: place.second, but: own, now) }
        return count
    }

    private func count(_ place: Place, in bucket: Int, but own: Int?, _ now: UInt64) -> Int {
        var count = 0
        for index in bucket..<bucket + ReplayTable.entriesPerBucket where index != own {
            let word = unsafe entries[index].load(ordering: .sequentiallyConsistent)
            if word & ~ReplayTable.secondMask == place.fingerprint, isLive(word, now) { count += 1 }
        }
        return count
    }

    /// The index of the new entry; nil if both buckets are full.
    private func put(_ place: Place, _ now: UInt64) -> Int? {
        let (first, second) = (liveCount(place.first, now), liveCount(place.second, now))
        let order = first <= second ? (place.first, place.second) : (place.second, place.first)
        return put(place.fingerprint | now, in: order.0, now) ?? put(place.fingerprint | now, in: order.1, now)
    }

    private func liveCount(_ bucket: Int, _ now: UInt64) -> Int {
        (bucket..<bucket + ReplayTable.entriesPerBucket).count {
            unsafe isLive(entries[$0].load(ordering: .relaxed), now)
        }
    }

    private func put(_ word: UInt64, in bucket: Int, _ now: UInt64) -> Int? {
        for index in bucket..<bucket + ReplayTable.entriesPerBucket {
            let found = unsafe entries[index].load(ordering: .relaxed)
            if isLive(found, now) { continue }
            let (exchanged, _) = unsafe entries[index].compareExchange(
                expected: found, desired: word, ordering: .sequentiallyConsistent)
            if exchanged { return index }
        }
        return nil
    }

    // MARK: Shares

    /// Count one more handshake of this address; false if it had its share. A counter is a period and what came in it:
    ///
    ///      63                            32 31                             0
    ///     +--------------------------------+--------------------------------+
    ///     | period                         | handshakes                     |
    ///     +--------------------------------+--------------------------------+
    private func admit(_ peer: UInt64, _ now: UInt64) -> Bool {
        let period = now / (ReplayTable.lifetimeSeconds + 1)
        let hash = hash(peer, 2)
        let row = UInt64(ReplayTable.countersPerRow)
        let (first, second) = (Int(hash % row), Int(row + hash / row % row))
        let share = UInt64(addressShare)
        guard min(handshakes(first, period), handshakes(second, period)) < share else { return false }
        add(first, period)
        add(second, period)
        return true
    }

    private func handshakes(_ counter: Int, _ period: UInt64) -> UInt64 {
        let word = unsafe counters[counter].load(ordering: .relaxed)
        return word >> 32 == period ? word & 0xFFFF_FFFF : 0
    }

    private func add(_ counter: Int, _ period: UInt64) {
        var word = unsafe counters[counter].load(ordering: .relaxed)
        while true {
            // The count stays far below 2^32: it ends when the table is full.
            let desired = word >> 32 == period ? word + 1 : period << 32 | 1
            let (exchanged, found) = unsafe counters[counter].weakCompareExchange(
                expected: word, desired: desired, ordering: .relaxed)
            if exchanged { return }
            word = found
        }
    }
}
