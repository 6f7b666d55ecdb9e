// Ids as values: comparing, printing, reading through a mask.

import ApusWire
import TestSupport
import Testing

struct PeerIDTests {
    @Test func everyBitMakesADifference() {
        let original = [UInt8](0..<36)
        let id = PeerID(original.span.bytes, at: 0)
        for bit in 0..<36 * 8 {
            var altered = original
            altered[bit / 8] ^= 1 << UInt8(bit % 8)
            let other = PeerID(altered.span.bytes, at: 0)
            #expect(id != other, "bit \(bit)")
            #expect(bytes(of: other) == altered)
        }
        let shifted = [0xFF] + original
        #expect(id == PeerID(shifted.span.bytes, at: 1))
        #expect(id.hashValue == PeerID(original.span.bytes, at: 0).hashValue)
        #expect(bytes(of: .zero) == [UInt8](repeating: 0, count: 36))
    }

    @Test func anIDTakes36Bytes() { #expect(MemoryLayout<PeerID>.size == PeerID.byteCount) }

    /// As the logs of the reference print it; the text is made by another program.
    @Test func printsAsBase64() throws {
        let vectors = try RelayVectors.load()
        #expect(try "\(vectors.id(of: "alice"))" == "sha-K9gGyX8OAK8aH8Myj6djqSaXI8jbj6xPk69x2xhtbpA=")
        #expect(try "\(vectors.id(of: "bob"))" == "sha-gbY32PzSxtpjWeaWMROhFw3nleS3JbhNHgtM/Z7FjOk=")
    }

    /// The key in each of the four positions that a frame can have it in.
    @Test func readsThroughAMask() {
        var generator = SeededGenerator.announced()
        for phase in 0..<8 {
            let (plain, key) = (generator.bytes(36), generator.bytes(4))
            let masked = plain.indices.map { plain[$0] ^ key[(phase + $0) % 4] }
            let number = key.reversed().reduce(0) { $0 << 8 | UInt32($1) }
            let frame = [0] + masked
            let id = PeerID(masked: frame.span.bytes, at: 1, key: number, phase: phase)
            #expect(bytes(of: id) == plain, "phase \(phase)")
        }
    }

    @Test func readingBeyondTheEndStops() async {
        await #expect(processExitsWith: .failure) {
            let bytes = [UInt8](repeating: 0, count: 36)
            _ = PeerID(bytes.span.bytes, at: 1)
        }
        await #expect(processExitsWith: .failure) {
            let bytes = [UInt8](repeating: 0, count: 36)
            _ = PeerID(bytes.span.bytes, at: -1)
        }
    }
}
