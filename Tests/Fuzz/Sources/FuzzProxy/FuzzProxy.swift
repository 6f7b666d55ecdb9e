// libFuzzer driver for PROXY headers: a decision is made once and stays, whatever follows; a binary header is what a
// naive reader finds at fixed offsets; an address that was read as text is the one that its words say.

import ApusWire
import FuzzSupport

@main
struct FuzzProxy {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

func fuzz(_ stream: [UInt8]) {
    let decoder = ProxyHeaderDecoder()
    var decided: ProxyHeaderStep?
    for count in 0...min(stream.count, 600) {
        let seen = Array(stream[..<count])
        let step = decoder.step(seen.span.bytes, at: 0)
        if let decided {
            require(step == decided, "a decision changes with the bytes behind it")
        } else if case .incomplete(let byteCountNeeded) = step {
            require(byteCountNeeded > count, "incomplete, but all it needs is there")
            require(count < decoder.byteCountMax, "more is kept than a header may have")
        } else {
            decided = step
        }
    }
    guard case .header(let header) = decided else { return }
    require((header.source == nil) == (header.destination == nil), "one address without the other")
    if stream[0] == 0x50 { checkLine(header, stream) } else { checkBinary(header, stream) }
}

func checkLine(_ header: ProxyHeader, _ stream: [UInt8]) {
    let line = Array(stream[..<header.end])
    require(line.count <= 107 && line.suffix(2) == [13, 10], "a line has no end, or is too long")
    let words = String(decoding: line.dropLast(2), as: UTF8.self)
        .split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    require(words[0] == "PROXY", "another first word")
    guard words[1] != "UNKNOWN" else { return require(header.source == nil, "unknown, and yet an address") }
    require(words.count == 6 && (words[1] == "TCP4" || words[1] == "TCP6"), "other words")
    require(header.source == endpoint(words[2], words[4]), "another source")
    require(header.destination == endpoint(words[3], words[5]), "another destination")
    require(words[1] == (words[2].contains(":") ? "TCP6" : "TCP4"), "an address of the other family")
}

func endpoint(_ address: String, _ port: String) -> IPEndpoint? {
    guard let address = IPAddress(parsing: address), let port = UInt16(port) else { return nil }
    return IPEndpoint(address, port: port)
}

func checkBinary(_ header: ProxyHeader, _ stream: [UInt8]) {
    let length = Int(stream[14]) << 8 | Int(stream[15])
    require(header.end == 16 + length, "a header ends elsewhere")
    require(header.isLocal == (stream[12] == 0x20), "a proxy that speaks for itself, or not")
    guard !header.isLocal, stream[13] == 0x11 || stream[13] == 0x21 else {
        return require(header.source == nil, "an address of nobody")
    }
    let width = stream[13] == 0x11 ? 4 : 16
    require(header.source == endpoint(stream, 16, width, 16 + 2 * width), "another source")
    require(header.destination == endpoint(stream, 16 + width, width, 18 + 2 * width), "another destination")
}

func endpoint(_ stream: [UInt8], _ start: Int, _ width: Int, _ port: Int) -> IPEndpoint {
    let bytes = stream[start..<start + width]
    let low = bytes.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let high = bytes.dropLast(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let address = width == 4 ? IPAddress(ipv4: UInt32(low)) : IPAddress(high: high, low: low)
    return IPEndpoint(address, port: UInt16(stream[port]) << 8 | UInt16(stream[port + 1]))
}
