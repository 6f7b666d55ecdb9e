// Randomness that can be had again: every randomised test prints its seed, and APUS_TEST_SEED sets it.

import ApusWire
import Foundation

/// SplitMix64 (Steele, Lea, Flood 2014).
struct SeededGenerator: RandomNumberGenerator {
    let seed: UInt64
    private var state: UInt64

    init(seed: UInt64) {
        self.seed = seed
        state = seed
    }

    /// A fresh seed, printed, or the one of the environment.
    static func announced(_ test: String = #function) -> SeededGenerator {
        let fixed = ProcessInfo.processInfo.environment["APUS_TEST_SEED"].flatMap(UInt64.init)
        let seed = fixed ?? UInt64.random(in: 0...UInt64.max)
        print("\(test): APUS_TEST_SEED=\(seed)")
        return SeededGenerator(seed: seed)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15  // wraps by design, as all arithmetic of this generator
        var bits = state
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }

    mutating func bytes(_ count: Int) -> [UInt8] {
        (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
    }

    /// Scalars of every encoded length, ASCII as often as all others together.
    mutating func text(scalarCount: Int) -> String {
        var text = String.UnicodeScalarView()
        while text.count < scalarCount {
            let top: UInt32 = [0x7F, 0x7F, 0x7F, 0x7FF, 0xFFFF, 0x10FFFF].randomElement(using: &self) ?? 0x7F
            if let scalar = Unicode.Scalar(UInt32.random(in: 0...top, using: &self)) { text.append(scalar) }
        }
        return String(text)
    }

    mutating func message() -> Message {
        switch Int.random(in: 0...8, using: &self) {
        case 0: .ping
        case 1: .pong
        case 2: .handshakeInit(publicKey: bytes(32), timestampMilliseconds: next(), nonce: bytes(16))
        case 3: .handshakeResponse(publicKey: bytes(32), nonce: bytes(16), verification: bytes(32))
        case 4: .handshakeConfirm(verification: bytes(32))
        case 5: .echo(text(scalarCount: Int.random(in: 0...200, using: &self)))
        case 6: .disconnect
        case 7: custom()
        default: .unknown(discriminant: 8)
        }
    }

    private mutating func custom() -> Message {
        let command = text(scalarCount: Int.random(in: 0...20, using: &self))
        return .custom(command: command, payload: bytes(Int.random(in: 0...300, using: &self)))
    }
}
