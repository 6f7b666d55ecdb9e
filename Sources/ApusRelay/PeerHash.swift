// Where ids go, in tables and among shards. Strangers choose the ids, so it is keyed: nobody can choose where they go.

import ApusWire

/// Multilinear hashing (Lemire, Kaser 2014): a sum of the words of an id, each times a random number of 128 bits, of
/// which the upper 64 bits count. Any two ids, however they were chosen, agree in any n bits of it with a probability
/// of 2^-n over the keys.
public struct PeerHash: BitwiseCopyable, Sendable {
    @usableFromInline let addend: UInt128
    @usableFromInline let factor0: UInt128
    @usableFromInline let factor1: UInt128
    @usableFromInline let factor2: UInt128
    @usableFromInline let factor3: UInt128
    @usableFromInline let factor4: UInt128

    /// - Parameter seed: nobody outside may know it. The same seed makes the same hash.
    public init(seed: UInt64) {
        var state = seed
        addend = PeerHash.key(&state)
        factor0 = PeerHash.key(&state)
        factor1 = PeerHash.key(&state)
        factor2 = PeerHash.key(&state)
        factor3 = PeerHash.key(&state)
        factor4 = PeerHash.key(&state)
    }

    @inlinable
    public func hash(_ id: PeerID) -> UInt64 {
        let words = id.words
        // Sums and products modulo 2^128, as the method has them.
        let sum =
            addend &+ factor0 &* UInt128(words.0) &+ factor1 &* UInt128(words.1) &+ factor2 &* UInt128(words.2)
            &+ factor3 &* UInt128(words.3) &+ factor4 &* UInt128(words.4)
        return UInt64(truncatingIfNeeded: sum >> 64)
    }

    /// The same for a number.
    @inlinable
    public func hash(_ word: UInt64) -> UInt64 {
        UInt64(truncatingIfNeeded: (addend &+ factor0 &* UInt128(word)) >> 64)  // modulo 2^128
    }

    /// The shard that knows whether a peer is there: 0 ..< `shardCount`. Shards that have the same seed agree.
    @inlinable
    public func home(of id: PeerID, shardCount: Int) -> Int {
        precondition(shardCount > 0, "somebody has to know")
        // The upper bits decide here and the lower ones in tables, so that a home's ids do not crowd its table.
        return Int(hash(id).multipliedFullWidth(by: UInt64(shardCount)).high)
    }

    private static func key(_ state: inout UInt64) -> UInt128 {
        UInt128(mixed(&state)) << 64 | UInt128(mixed(&state))
    }

    /// SplitMix64 (Steele, Lea, Flood 2014), whose arithmetic wraps.
    private static func mixed(_ state: inout UInt64) -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
