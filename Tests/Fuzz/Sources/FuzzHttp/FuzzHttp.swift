// libFuzzer driver for the HTTP request decoder: however a stream is cut, it decodes the same; what is refused stays
// refused; what is accepted is framed as a second, naive reader frames it.

import ApusWire
import FuzzSupport

@main
struct FuzzHttp {
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
    let decoder = HTTPRequestDecoder(limits: first & 0x80 == 0 ? HTTPLimits() : small)
    let whole = decodeWhole(stream, decoder)
    require(decodePieces(stream, Array(lengths), decoder) == whole, "the pieces decode otherwise")
    for request in whole.requests { check(request, stream, decoder.limits) }
}

/// Limits that short streams can exceed.
let small: HTTPLimits = {
    var limits = HTTPLimits()
    (limits.requestLineByteCountMax, limits.fieldCountMax) = (40, 3)
    (limits.fieldsByteCountMax, limits.bodyByteCountMax) = (60, 5)
    return limits
}()

struct Outcome: Equatable {
    /// Each with where it started, as offsets into the stream.
    var requests: [Range<Int>] = []
    var bodies: [Range<Int>] = []
    var violation: HTTPViolation?
    var end = 0
}

func decodeWhole(_ stream: [UInt8], _ decoder: HTTPRequestDecoder) -> Outcome {
    var outcome = Outcome()
    decode(stream, from: 0, into: &outcome, decoder)
    return outcome
}

/// As a connection does it: keep what is not whole, add the next piece, look again.
func decodePieces(_ stream: [UInt8], _ lengths: [UInt8], _ decoder: HTTPRequestDecoder) -> Outcome {
    var (outcome, gathered, arrived, turn) = (Outcome(), [UInt8](), 0, 0)
    while arrived < stream.count, outcome.violation == nil {
        let length = lengths.isEmpty ? 1 : Int(lengths[turn % lengths.count])
        let piece = stream[arrived...].prefix(length == 0 ? 256 : length)
        (arrived, turn) = (arrived + piece.count, turn + 1)
        gathered += piece
        let base = arrived - gathered.count
        decode(gathered, from: base, into: &outcome, decoder)
        gathered.removeFirst(outcome.end - base)
        let isKept = outcome.violation == nil && gathered.count > decoder.limits.requestByteCountMax
        require(!isKept, "more is kept than a request may have")
    }
    return outcome
}

func decode(_ bytes: [UInt8], from base: Int, into outcome: inout Outcome, _ decoder: HTTPRequestDecoder) {
    while true {
        let offset = outcome.end - base
        switch decoder.step(bytes.span.bytes, at: offset) {
        case .request(let request):
            require(request.end > offset && request.end <= bytes.count, "a request ends outside the bytes")
            outcome.requests.append(outcome.end..<base + request.end)
            outcome.bodies.append(base + request.body.lowerBound..<base + request.body.upperBound)
            outcome.end = base + request.end
        case .incomplete(let byteCountNeeded):
            require(byteCountNeeded > bytes.count - offset, "incomplete, but all it needs is there")
            return
        case .violation(let violation):
            outcome.violation = violation
            return
        }
    }
}

/// A reader that splits at line ends and believes nothing.
func check(_ request: Range<Int>, _ stream: [UInt8], _ limits: HTTPLimits) {
    let bytes = Array(stream[request])
    guard case .request(let layout) = HTTPRequestDecoder(limits: limits).step(bytes.span.bytes, at: 0) else {
        return require(false, "a request by itself is none")
    }
    let head = Array(bytes[..<layout.body.lowerBound])
    require(head.suffix(4).elementsEqual([13, 10, 13, 10]), "a head does not end with a blank line")
    require(!head.contains(0), "a head holds NUL")
    for (index, byte) in head.enumerated() {
        if byte == 13 { require(head.indices.contains(index + 1) && head[index + 1] == 10, "a bare CR was accepted") }
        if byte == 10 { require(index > 0 && head[index - 1] == 13, "a bare LF was accepted") }
    }
    let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n", omittingEmptySubsequences: true)
    let names = lines.dropFirst().map { $0.prefix { $0 != ":" }.lowercased() }
    require(names.allSatisfy { !$0.hasSuffix(" ") && !$0.hasPrefix(" ") && !$0.isEmpty }, "a blank beside a name")
    require(!names.contains("transfer-encoding"), "a transfer coding was accepted")
    require(names.count { $0 == "content-length" } <= 1, "two lengths were accepted")
    require(names.count { $0 == "host" } <= 1, "two hosts were accepted")
    let length = lines.dropFirst().first { $0.lowercased().hasPrefix("content-length:") }
        .map { $0.drop { $0 != ":" }.dropFirst().filter { $0 != " " && $0 != "\t" } }
    require((length.flatMap { Int($0) } ?? 0) == layout.body.count, "the body is not as long as announced")
}
