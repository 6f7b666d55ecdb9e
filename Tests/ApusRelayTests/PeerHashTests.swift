// The hash, against a slow one of the same definition, and what is asked of it.

import ApusWire
import TestSupport
import Testing

@testable import ApusRelay

struct PeerHashTests {
    @Test func theSameSeedAgreesAndOthersDoNot() {
        let (one, same, other) = (PeerHash(seed: 1), PeerHash(seed: 1), PeerHash(seed: 2))
        for number in 0..<100 {
            #expect(one.hash(peer(number)) == same.hash(peer(number)))
            #expect(one.hash(peer(number)) != other.hash(peer(number)))
            #expect(one.hash(UInt64(number)) == same.hash(UInt64(number)))
        }
    }

    /// The same sum, with its 128 bits as two words.
    private func slowHash(_ hash: PeerHash, _ words: [UInt64]) -> UInt64 {
        let factors = [hash.factor0, hash.factor1, hash.factor2, hash.factor3, hash.factor4]
        var (high, low) = (UInt64(truncatingIfNeeded: hash.addend >> 64), UInt64(truncatingIfNeeded: hash.addend))
        for (word, factor) in zip(words, factors) {
            let product = UInt64(truncatingIfNeeded: factor).multipliedFullWidth(by: word)
            let (sum, carry) = low.addingReportingOverflow(product.low)
            // Modulo 2^128, so what goes beyond is gone.
            high = high &+ product.high &+ UInt64(truncatingIfNeeded: factor >> 64) &* word &+ (carry ? 1 : 0)
            low = sum
        }
        return high
    }

    @Test func itIsTheSumThatItIsSaidToBe() {
        var generator = SeededGenerator.announced()
        for _ in 0..<1000 {
            let hash = PeerHash(seed: generator.next())
            let bytes = (0..<36).map { _ in UInt8.random(in: 0...255, using: &generator) }
            let id = PeerID(bytes.span.bytes, at: 0)
            let words = [id.words.0, id.words.1, id.words.2, id.words.3, UInt64(id.words.4)]
            #expect(hash.hash(id) == slowHash(hash, words))
            #expect(hash.hash(words[0]) == slowHash(hash, [words[0]]))
        }
    }

    @Test func everyBitOfAnIDCounts() {
        let hash = PeerHash(seed: 7)
        let original = [UInt8](0..<36)
        var seen: Set<UInt64> = [hash.hash(PeerID(original.span.bytes, at: 0))]
        for bit in 0..<36 * 8 {
            var altered = original
            altered[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(seen.insert(hash.hash(PeerID(altered.span.bytes, at: 0))).inserted, "bit \(bit)")
        }
    }

    /// Ids in a row are the worst that a linear hash could meet; over the seeds they have to spread as random ones do.
    @Test func idsInARowSpread() {
        var generator = SeededGenerator.announced()
        let (idCount, bucketCount, seedCount) = (4096, 1024, 50)
        var worst = 0
        for _ in 0..<seedCount {
            let hash = PeerHash(seed: generator.next())
            var counts = [Int](repeating: 0, count: bucketCount)
            for number in 0..<idCount { counts[Int(hash.hash(peer(number)) % UInt64(bucketCount))] += 1 }
            worst = max(worst, counts.max() ?? 0)
        }
        // Four are expected in a bucket; pairwise independence alone allows for more than full randomness would.
        print("idsInARowSpread: at most \(worst) in a bucket of 4")
        #expect(worst < 200)
    }

    @Test func everyShardIsSomebodysHome() {
        let hash = PeerHash(seed: 3)
        for shardCount in [1, 2, 3, 7, 64] {
            let homes = (0..<10_000).map { hash.home(of: peer($0), shardCount: shardCount) }
            #expect(Set(homes) == Set(0..<shardCount))
        }
    }
}
