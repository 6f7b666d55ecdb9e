// Masking against RFC 6455 §5.3 byte by byte: every length around the steps of the fast loop, every phase, every
// alignment.

import ApusWire
import Testing

struct WebSocketMaskTests {
    static let lengths = Array(0...150) + [255, 256, 257, 1200, 1238, 8000, 8820]
    static let keys: [UInt32] = [0x3D21_FA37, 0x0000_00FF, 0xFF00_0000, .max, 1]

    private func applied(_ bytes: [UInt8], _ key: UInt32, phase: Int) -> [UInt8] {
        var bytes = bytes
        var span = bytes.mutableSpan
        var raw = span.mutableBytes
        WebSocketMask.apply(key, to: &raw, phase: phase)
        return bytes
    }

    @Test(arguments: lengths) func appliesAndCopiesAsTheStandardDoes(length: Int) {
        let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 * 7 + 3) }
        for key in Self.keys {
            for phase in 0..<5 {
                let expected = unmasked(bytes, key, phase: phase)
                #expect(applied(bytes, key, phase: phase) == expected)
                let copied = written(capacity: length + 1) { output in
                    output.append(0x55)
                    WebSocketMask.append(bytes.span.bytes, unmaskedWith: key, phase: phase, to: &output)
                }
                #expect(copied == [0x55] + expected)
            }
        }
    }

    @Test func atAnyAlignmentOfBothSides() {
        let bytes = (0..<200).map { UInt8(truncatingIfNeeded: $0 * 13) }
        for start in 0..<20 {
            for lead in 0..<20 {
                let part = Array(bytes[start...])
                let copied = written(capacity: 300) { output in
                    for _ in 0..<lead { output.append(0xAA) }
                    let source = bytes.span.bytes.extracting(start..<bytes.count)
                    WebSocketMask.append(source, unmaskedWith: 0x3D21_FA37, to: &output)
                }
                #expect(copied == [UInt8](repeating: 0xAA, count: lead) + unmasked(part, 0x3D21_FA37))
            }
        }
    }

    @Test func piecesAreMaskedAsOne() {
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0) }
        let whole = unmasked(bytes, 0x8040_2010)
        for split in 0...bytes.count {
            let pieces = written(capacity: 300) { output in
                let (head, tail) = (bytes.span.bytes.extracting(0..<split), bytes.span.bytes.extracting(split..<300))
                WebSocketMask.append(head, unmaskedWith: 0x8040_2010, to: &output)
                WebSocketMask.append(tail, unmaskedWith: 0x8040_2010, phase: split, to: &output)
            }
            #expect(pieces == whole, "split at \(split)")
        }
    }

    @Test func twiceIsNothing() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(applied(applied(bytes, 0x1234_5678, phase: 3), 0x1234_5678, phase: 3) == bytes)
        #expect(applied(bytes, 0, phase: 1) == bytes)
    }

    @Test func nothingIsWrittenBesideTheBytes() {
        for length in 0...70 {
            var bytes = [UInt8](repeating: 0, count: 100)
            do {
                var span = bytes.mutableSpan
                var raw = span.mutableBytes
                var middle = raw._mutatingExtracting(10..<10 + length)
                WebSocketMask.apply(.max, to: &middle)
            }
            let expected = (0..<100).map { 10..<10 + length ~= $0 ? UInt8(0xFF) : 0 }
            #expect(bytes == expected)
        }
    }

    @Test func appendingNeedsRoom() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let bytes = [UInt8](repeating: 0, count: 10)
            _ = written(capacity: 9) { WebSocketMask.append(bytes.span.bytes, unmaskedWith: 1, to: &$0) }
        }
        expect(result, says: "the output has no room")
    }
}
