// Who the generator's peers are. It must never name two of them alike, nor those of two runs.

import ApusSecurity
import ApusWire

/// Ids as real clients make them, of keys that nobody else has: this run's random bytes and a number.
struct RelayIdentities {
    private let run = UInt64.random(in: 0 ... .max)
    private var count: UInt64 = 0

    mutating func next() -> PeerID {
        count += 1
        return PeerID(hashing: "\(run)-\(count)")
    }
}
