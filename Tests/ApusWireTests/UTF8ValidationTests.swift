// UTF-8 against Unicode's table 3-7, against counts that follow from it, and against the standard library.

import ApusWire
import TestSupport
import Testing

struct UTF8ValidationTests {
    private func firstInvalid(_ bytes: [UInt8]) -> Int? {
        UTF8Validation.firstInvalidOffset(in: bytes.span.bytes)
    }

    static let illFormed: [(bytes: [UInt8], offset: Int, why: String)] = [
        ([0x80], 0, "a lone continuation"),
        ([0xBF], 0, "a lone continuation"),
        ([0xC0, 0x80], 0, "an overlong NUL"),
        ([0xC1, 0xBF], 0, "an overlong two-byte form"),
        ([0xC2], 0, "a cut two-byte form"),
        ([0xC2, 0x7F], 0, "no continuation"),
        ([0xC2, 0xC0], 0, "no continuation"),
        ([0xE0, 0x80, 0x80], 0, "an overlong three-byte form"),
        ([0xE0, 0x9F, 0xBF], 0, "an overlong three-byte form"),
        ([0xE1, 0x80], 0, "a cut three-byte form"),
        ([0xE1, 0x80, 0x7F], 0, "a wrong third byte"),
        ([0xED, 0xA0, 0x80], 0, "the first surrogate"),
        ([0xED, 0xBF, 0xBF], 0, "the last surrogate"),
        ([0xF0, 0x80, 0x80, 0x80], 0, "an overlong four-byte form"),
        ([0xF0, 0x8F, 0xBF, 0xBF], 0, "an overlong four-byte form"),
        ([0xF1, 0x80, 0x80], 0, "a cut four-byte form"),
        ([0xF1, 0x80, 0x80, 0xC0], 0, "a wrong fourth byte"),
        ([0xF4, 0x90, 0x80, 0x80], 0, "U+110000"),
        ([0xF5, 0x80, 0x80, 0x80], 0, "a lead that does not exist"),
        ([0xF8, 0x88, 0x80, 0x80, 0x80], 0, "five bytes"),
        ([0xFC, 0x84, 0x80, 0x80, 0x80, 0x80], 0, "six bytes"),
        ([0xFE], 0, "never a byte of UTF-8"),
        ([0xFF], 0, "never a byte of UTF-8"),
        ([0xC3, 0xA9, 0xA9], 2, "a continuation too many"),
        ([0xE2, 0x82, 0xAC, 0xE2, 0x82], 3, "a cut after a whole one"),
        ([0xF0, 0x9F, 0x90, 0xA6, 0x41, 0xFF], 5, "after bird and A"),
    ]

    /// Every length of ASCII in front and behind, so that each loop of the validator meets each fault at each place.
    @Test func illFormedSequencesAreFoundAtTheirByte() {
        for (bytes, offset, why) in Self.illFormed {
            for front in 0...70 {
                for back in [0, 1, 7, 8, 33] {
                    let text = [UInt8](repeating: 0x61, count: front) + bytes + [UInt8](repeating: 0x7A, count: back)
                    #expect(firstInvalid(text) == front + offset, "\(why), \(front) before, \(back) behind")
                }
            }
        }
    }

    @Test func oneHighByteAnywhereIsFound() {
        for count in 0...140 {
            #expect(firstInvalid([UInt8](repeating: 0x7F, count: count)) == nil)
            for offset in 0..<count {
                var text = [UInt8](repeating: 0x61, count: count)
                text[offset] = 0x80
                #expect(firstInvalid(text) == offset, "\(offset) of \(count)")
            }
        }
    }

    /// U+0080…U+07FF are 1,920 code points; U+0800…U+FFFF are 63,488 less 2,048 surrogates. Every pair and triple that
    /// starts with a lead of its length is tried, so what is not counted was refused.
    @Test func exactlyTheShortestFormsAreAccepted() {
        var pairs = 0, triples = 0
        for first in UInt8(0xC0)...0xFF {
            for second in UInt8.min...UInt8.max where firstInvalid([first, second]) == nil { pairs += 1 }
        }
        for first in UInt8(0xE0)...0xEF {
            for second in UInt8.min...UInt8.max {
                for third in UInt8.min...UInt8.max where firstInvalid([first, second, third]) == nil { triples += 1 }
            }
        }
        #expect(pairs == 1920)
        #expect(triples == 61440)
    }

    @Test func fourByteFormsAreAcceptedAsTheStandardLibraryDoes() {
        let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        for first in UInt8(0xF0)...0xFF {
            for second in UInt8.min...UInt8.max {
                for third in edges {
                    for fourth in edges {
                        let bytes = [first, second, third, fourth]
                        let valid = String(validating: bytes, as: UTF8.self) != nil
                        if (firstInvalid(bytes) == nil) != valid { Issue.record("\(bytes) should be \(valid)") }
                    }
                }
            }
        }
    }

    @Test func scalarsOfEveryPlaneAreAccepted() {
        var text: [UInt8] = []
        for value in stride(from: UInt32(0), through: 0x10FFFF, by: 7) {
            guard let scalar = Unicode.Scalar(value) else { continue }
            text += UTF8.encode(scalar).map(Array.init) ?? []
        }
        #expect(firstInvalid(text) == nil)
        let edges = "\u{7F}\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF}"
        #expect(firstInvalid(Array(edges.utf8)) == nil)
    }

    @Test func damagedTextIsJudgedAsTheStandardLibraryDoes() {
        var generator = SeededGenerator.announced()
        for _ in 0..<3000 {
            var bytes = Array(generator.text(scalarCount: Int.random(in: 1...60, using: &generator)).utf8)
            let offset = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[offset] = UInt8.random(in: 0...255, using: &generator)
            let invalid = firstInvalid(bytes)
            let valid = String(validating: bytes, as: UTF8.self) != nil
            #expect((invalid == nil) == valid, "seed \(generator.seed): \(bytes)")
            guard let invalid else { continue }
            #expect(String(validating: bytes[..<invalid], as: UTF8.self) != nil, "seed \(generator.seed): \(bytes)")
        }
    }
}
