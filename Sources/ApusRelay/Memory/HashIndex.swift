// From hashes to the records that have them, by linear hashing (Litwin 1980): the table grows by one bucket with each
// record, so its memory follows what is in it and no insertion ever moves more than one bucket's records.

/// It compares hashes only: whoever asks compares the records. There are as many buckets as there ever were records at
/// once, hence one record in a bucket on the average; 12 bytes a record.
struct HashIndex: ~Copyable {
    struct Member: BitwiseCopyable {
        var hash: UInt32
        var next: UInt32
    }

    private static let bucketCountMin = 64

    private let firsts: Reserved<UInt32>
    private let members: Reserved<Member>
    private var memberCount = 0
    private var bucketCount = HashIndex.bucketCountMin
    /// The largest power of two that is not above `bucketCount`. Buckets from there on were split off those before.
    private var level = HashIndex.bucketCountMin

    /// - Parameter capacity: members have numbers below it.
    init(capacity: Int) {
        firsts = Reserved(capacity: max(capacity, HashIndex.bucketCountMin))
        members = Reserved(capacity: capacity)
        for bucket in 0..<HashIndex.bucketCountMin { firsts[bucket] = .nothing }
    }

    static func byteCount(capacity: Int) -> Int {
        Reserved<UInt32>.byteCount(capacity: max(capacity, bucketCountMin))
            + Reserved<Member>.byteCount(capacity: capacity)
    }

    /// The first record with this hash; `nothing` when there is none.
    func first(_ hash: UInt32) -> UInt32 { match(hash, from: firsts[bucket(of: hash)]) }

    /// The record with the same hash after that one; `nothing` when there is none.
    func next(after number: UInt32) -> UInt32 { match(members[number].hash, from: members[number].next) }

    mutating func insert(_ number: UInt32, _ hash: UInt32) {
        link(number, hash)
        memberCount += 1
        if memberCount > bucketCount, bucketCount < firsts.capacity { split() }
    }

    mutating func remove(_ number: UInt32) {
        unlink(number, from: bucket(of: members[number].hash))
        memberCount -= 1
    }
}

// MARK: Buckets

extension HashIndex {
    private func bucket(of hash: UInt32) -> Int {
        let wide = Int(hash) & (2 * level - 1)
        return wide < bucketCount ? wide : wide & (level - 1)
    }

    private func match(_ hash: UInt32, from number: UInt32) -> UInt32 {
        var number = number
        while number != .nothing, members[number].hash != hash { number = members[number].next }
        return number
    }

    private func link(_ number: UInt32, _ hash: UInt32) {
        let bucket = bucket(of: hash)
        members[number] = Member(hash: hash, next: firsts[bucket])
        firsts[bucket] = number
    }

    private func unlink(_ number: UInt32, from bucket: Int) {
        let next = members[number].next
        guard firsts[bucket] != number else { return firsts[bucket] = next }
        var before = firsts[bucket]
        while members[before].next != number { before = members[before].next }
        members[before].next = next
    }

    /// One bucket more: its records come out of the one that had them.
    private mutating func split() {
        let source = bucketCount - level
        firsts[bucketCount] = .nothing
        bucketCount += 1
        var number = firsts[source]
        firsts[source] = .nothing
        while number != .nothing {
            let member = members[number]
            link(number, member.hash)
            number = member.next
        }
        // Only now: `bucket(of:)` reads the upper half as split while the level is the lower one.
        if bucketCount == 2 * level { level = bucketCount }
    }
}
