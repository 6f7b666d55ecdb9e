// libFuzzer driver for the packet decoder: however a stream is cut, it decodes the same; what is refused is refused at
// its first wrong byte; what is accepted encodes to the bytes it came from.

import ApusWire
import FuzzSupport

@main
struct FuzzDecoder {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is one byte n, n & 15 bytes of piece lengths (used in turn, 0 means 256), and then the stream.
func fuzz(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let lengths = input.dropFirst().prefix(Int(first & 15))
    let stream = Array(input.dropFirst(1 + lengths.count))
    // The top bit asks for a limit that short streams can exceed.
    let decoder = first & 0x80 == 0 ? PacketDecoder() : PacketDecoder(payloadByteCountMax: 100)

    let whole = decodeWhole(stream, decoder)
    require(decodePieces(stream, lengths: Array(lengths), decoder) == whole, "the pieces decode otherwise")
    for packet in whole.packets { checkEncodes(packet, in: stream) }
    checkEchoes(of: stream, whole.packets, decoder)
    if let violation = whole.violation { checkEarliest(violation, of: stream, at: whole.end, decoder) }
}

/// The run of echoes is what the packets are when they are looked at one by one.
func checkEchoes(of stream: [UInt8], _ packets: [Range<Int>], _ decoder: PacketDecoder) {
    let echoes = packets.prefix { packet in
        let payload = Array(stream[packet].dropFirst(PacketFormat.headerByteCount))
        guard case .message(let layout) = MessageDecoder.step(payload.span.bytes) else { return false }
        return layout.kind == .echo && layout.byteCount == payload.count
    }
    let expected = EchoRun(packetCount: UInt64(echoes.count), byteCount: echoes.last?.upperBound ?? 0)
    require(decoder.leadingEchoes(of: stream.span.bytes, byteCountMax: .max) == expected, "another run of echoes")
}

/// What a stream holds.
struct Outcome: Equatable {
    /// Whole packets, header and payload, as offsets into the stream.
    var packets: [Range<Int>] = []
    var violation: PacketViolation?
    /// Where the first packet starts that is not whole.
    var end = 0
}

func decodeWhole(_ stream: [UInt8], _ decoder: PacketDecoder) -> Outcome {
    var outcome = Outcome()
    decode(stream, from: 0, into: &outcome, decoder)
    return outcome
}

/// As a connection does it: keep what is not whole, add the next piece, look again.
func decodePieces(_ stream: [UInt8], lengths: [UInt8], _ decoder: PacketDecoder) -> Outcome {
    var (outcome, gathered, arrived, turn) = (Outcome(), [UInt8](), 0, 0)
    while arrived < stream.count, outcome.violation == nil {
        let length = lengths.isEmpty ? 1 : Int(lengths[turn % lengths.count])
        let piece = stream[arrived...].prefix(length == 0 ? 256 : length)
        (arrived, turn) = (arrived + piece.count, turn + 1)
        gathered += piece
        let base = arrived - gathered.count
        decode(gathered, from: base, into: &outcome, decoder)
        gathered.removeFirst(outcome.end - base)
    }
    return outcome
}

/// Take every whole packet of `bytes`, which lie at `base` of the stream.
func decode(_ bytes: [UInt8], from base: Int, into outcome: inout Outcome, _ decoder: PacketDecoder) {
    while true {
        let offset = outcome.end - base
        switch decoder.step(bytes.span.bytes, at: offset) {
        case .packet(let payload):
            require(payload.lowerBound == offset + PacketFormat.headerByteCount, "a payload out of place")
            outcome.packets.append(outcome.end..<base + payload.upperBound)
            outcome.end = base + payload.upperBound
        case .incomplete(let byteCountNeeded):
            require(byteCountNeeded > bytes.count - offset, "incomplete, but all it needs is there")
            return
        case .violation(let violation):
            outcome.violation = violation
            return
        }
    }
}

func checkEncodes(_ packet: Range<Int>, in stream: [UInt8]) {
    let payload = Array(stream[packet].dropFirst(PacketFormat.headerByteCount))
    let encoded = [UInt8](unsafeUninitializedCapacity: packet.count) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        PacketEncoder.writeHeader(payloadByteCount: payload.count, into: &output)
        output.append(copying: payload.span.bytes)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
    require(encoded == Array(stream[packet]), "an accepted packet encodes to other bytes")
}

/// A violation is told with its byte, not before and not after.
func checkEarliest(_ violation: PacketViolation, of stream: [UInt8], at offset: Int, _ decoder: PacketDecoder) {
    let byteCount =
        switch violation {
        case .magic(let wrong, _): wrong + 1
        case .version: 5
        case .oversize: PacketFormat.headerByteCount
        }
    let seen = Array(stream[offset...].prefix(byteCount))
    require(seen.count == byteCount, "a violation was told before its byte came")
    require(decoder.step(seen.span.bytes, at: 0) == .violation(violation), "a violation was told late")
    let before = Array(seen.dropLast())
    let expected = PacketStep.incomplete(byteCountNeeded: PacketFormat.headerByteCount)
    require(decoder.step(before.span.bytes, at: 0) == expected, "a violation was told early")
}
