// Text in pieces against the validator of whole texts: cut anywhere it is judged the same, and as early as can be.

import ApusWire
import TestSupport
import Testing

struct UTF8StreamTests {
    private func isText(_ pieces: [[UInt8]]) -> Bool {
        var stream = UTF8Stream()
        for piece in pieces where !stream.accept(piece.span.bytes) { return false }
        return stream.isComplete
    }

    private func isWhole(_ bytes: [UInt8]) -> Bool { UTF8Validation.firstInvalidOffset(in: bytes.span.bytes) == nil }

    @Test func illFormedSequencesAreRefusedHoweverTheyAreCut() {
        for (bytes, _, why) in UTF8ValidationTests.illFormed {
            for front in [0, 1, 7, 8, 63, 64, 65] {
                let text = [UInt8](repeating: 0x61, count: front) + bytes
                for split in 0...text.count {
                    #expect(!isText([Array(text[..<split]), Array(text[split...])]), "\(why), cut at \(split)")
                }
                #expect(!isText(text.map { [$0] }), "\(why), byte by byte")
            }
        }
    }

    @Test func wellFormedTextIsAcceptedHoweverItIsCut() {
        let text = Array("κόσμε \u{7F}\u{80}\u{7FF}\u{800}\u{D7FF}\u{E000}\u{FFFF}\u{10000}\u{10FFFF} 🐦 grüezi".utf8)
        for first in 0...text.count {
            for second in first...text.count {
                let pieces = [Array(text[..<first]), Array(text[first..<second]), Array(text[second...])]
                #expect(isText(pieces), "cut at \(first) and \(second)")
            }
        }
        #expect(isText([]) && isText([[], []]))
    }

    /// A byte is refused with the first prefix that nothing can complete, and with no earlier one: against all
    /// continuations of up to three bytes, taken at the edges of the table's ranges.
    @Test func failsAtTheFirstByteThatCannotBeRight() {
        let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF]
        for first in UInt8.min...UInt8.max {
            for second in UInt8.min...UInt8.max {
                check([first, second])
                for third in edges { check([first, second, third]) }
            }
        }
    }

    private func check(_ bytes: [UInt8]) {
        var stream = UTF8Stream()
        let isAccepted = stream.accept(bytes.span.bytes)
        // An #expect for each of 700,000 would take most of a minute.
        if isAccepted != isPrefix(bytes) { Issue.record("\(bytes) is told apart wrongly") }
        if isAccepted, stream.isComplete != isWhole(bytes) { Issue.record("\(bytes) may end, or may not") }
    }

    /// Whether some text starts with them: a continuation byte at either end of its range completes any sequence.
    private func isPrefix(_ bytes: [UInt8]) -> Bool {
        (0...3).contains { count in
            [0x80, 0xBF].contains { isWhole(bytes + [UInt8](repeating: $0, count: count)) }
        }
    }

    @Test func damagedTextIsJudgedAsAWhole() {
        var generator = SeededGenerator.announced()
        for _ in 0..<3000 {
            var bytes = Array(generator.text(scalarCount: Int.random(in: 1...60, using: &generator)).utf8)
            if Bool.random(using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            var pieces: [[UInt8]] = []
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = Int.random(in: 0...min(rest.count, 9), using: &generator)
                pieces.append(Array(rest.prefix(count)))
                rest = rest.dropFirst(count)
            }
            #expect(isText(pieces) == isWhole(bytes), "seed \(generator.seed): \(pieces)")
        }
    }
}
