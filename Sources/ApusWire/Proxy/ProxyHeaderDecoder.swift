// Finds the header that a proxy puts before a connection's own bytes (PROXY protocol, versions 1 and 2). It holds a
// limit and no bytes; it must never know what follows.

/// Strict and early: another protocol's first bytes are refused at the first that differs.
public struct ProxyHeaderDecoder: BitwiseCopyable, Sendable {
    /// Of a version 2 header, with its extensions; bytes, inclusive.
    public let byteCountMax: Int

    /// Of a version 1 header, with its CR LF (§2.1).
    static let lineByteCountMax = 107
    static let binaryPrefixByteCount = 16
    static let lineSignature: StaticString = "PROXY "
    static let binarySignature: StaticString = "\r\n\r\n\0\r\nQUIT\n"

    /// - Parameter byteCountMax: at least 232, which is two UNIX paths; the default fits the smallest TCP segment that
    ///   every host takes, so that a header is never cut (§2).
    public init(byteCountMax: Int = 536) {
        precondition(byteCountMax >= 232, "every family's addresses fit")
        self.byteCountMax = byteCountMax
    }

    /// Examine the header at `offset` (0 … `bytes.byteCount`).
    public func step(_ bytes: RawSpan, at offset: Int) -> ProxyHeaderStep {
        precondition(0...bytes.byteCount ~= offset, "a header starts within the bytes")
        do throws(ProxyStop) {
            let first = bytes.byteCount > offset ? bytes.byte(at: offset) : nil
            guard let first else { throw .incomplete(byteCountNeeded: Self.shortestLineByteCount) }
            return .header(try first == 0x50 ? readLine(bytes, at: offset) : readBinary(bytes, at: offset))
        } catch {
            switch error {
            case .incomplete(let byteCountNeeded): return .incomplete(byteCountNeeded: byteCountNeeded)
            case .violation(let violation): return .violation(violation)
            }
        }
    }

    private func require(_ signature: StaticString, _ bytes: RawSpan, at start: Int) throws(ProxyStop) {
        let available = min(signature.utf8CodeUnitCount, bytes.byteCount - start)
        for offset in 0..<available {
            // The index is below the count.
            let expected = unsafe signature.utf8Start[offset]
            let found = bytes.byte(at: start + offset)
            if found != expected { throw .violation(.signature(offset: offset, found: found)) }
        }
    }
}

/// Why reading a header stops.
enum ProxyStop: Error {
    case incomplete(byteCountNeeded: Int)
    case violation(ProxyViolation)
}

// MARK: Version 1 (§2.1)

extension ProxyHeaderDecoder {
    /// The shortest line, `PROXY UNKNOWN` with its end; a cut one needs one byte more than there is.
    private static let shortestLineByteCount = 15

    private func readLine(_ bytes: RawSpan, at start: Int) throws(ProxyStop) -> ProxyHeader {
        try require(Self.lineSignature, bytes, at: start)
        let end = try lineEnd(bytes, from: start)
        let words = ProxyWords(bytes, start + Self.lineSignature.utf8CodeUnitCount..<end)
        guard let family = words.family(bytes) else { throw .violation(.line) }
        if family == .unknown { return ProxyHeader(end: end + 2) }
        guard let source = words.endpoint(bytes, address: 1, port: 3, family),
            let destination = words.endpoint(bytes, address: 2, port: 4, family), words.count == 5
        else { throw .violation(.line) }
        return ProxyHeader(source: source, destination: destination, end: end + 2)
    }

    /// Where CR LF stands.
    private func lineEnd(_ bytes: RawSpan, from start: Int) throws(ProxyStop) -> Int {
        let limit = start + Self.lineByteCountMax - 2
        for offset in start..<min(bytes.byteCount, limit + 1) {
            let byte = bytes.byte(at: offset)
            if byte == HTTPByte.carriageReturn {
                guard offset + 1 < bytes.byteCount else { throw .incomplete(byteCountNeeded: offset + 2 - start) }
                guard bytes.byte(at: offset + 1) == HTTPByte.lineFeed else { throw .violation(.line) }
                return offset
            }
            if !(0x20...0x7E ~= byte) { throw .violation(.line) }
        }
        guard bytes.byteCount <= limit else { throw .violation(.lineTooLong) }
        throw .incomplete(byteCountNeeded: max(Self.shortestLineByteCount, bytes.byteCount - start + 1))
    }
}

/// The words behind `PROXY `, each separated by one blank: at most five, or any number behind UNKNOWN.
private struct ProxyWords {
    enum Family {
        case tcp4
        case tcp6
        case unknown
    }

    private var ends = [5 of Int](repeating: 0)
    private let start: Int
    private(set) var count = 0

    /// An empty word is one too: what it should be, it is not.
    init(_ bytes: RawSpan, _ text: Range<Int>) {
        start = text.lowerBound
        var position = start
        while count < 5 {
            let end = HTTPByte.first(HTTPByte.space, in: bytes, position..<text.upperBound) ?? text.upperBound
            ends[count] = end
            count += 1
            guard end < text.upperBound else { return }
            position = end + 1
        }
        // A sixth word: as the last word's end it shows that there are not five.
        count = 6
    }

    private func word(_ index: Int) -> Range<Int> { (index == 0 ? start : ends[index - 1] + 1)..<ends[index] }

    func family(_ bytes: RawSpan) -> Family? {
        if HTTPByte.equals(bytes, word(0), "TCP4") { return .tcp4 }
        if HTTPByte.equals(bytes, word(0), "TCP6") { return .tcp6 }
        return HTTPByte.equals(bytes, word(0), "UNKNOWN") ? .unknown : nil
    }

    func endpoint(_ bytes: RawSpan, address: Int, port: Int, _ family: Family) -> IPEndpoint? {
        guard count == 5, let port = Decimal.read(bytes, word(port), max: 65535) else { return nil }
        let isIPv4 = IPAddress.ipv4(bytes, word(address)) != nil
        guard isIPv4 == (family == .tcp4), let address = IPAddress(parsing: bytes, word(address)) else { return nil }
        return IPEndpoint(address, port: UInt16(port))
    }
}

// MARK: Version 2 (§2.2)

///      0                               12      13      14              16
///     +-------------------------------+-------+-------+---------------+--------------------- - -
///     | 0D 0A 0D 0A 00 0D 0A 51 55 49 | 2 |com| fam|tr| length, u16 BE | source, destination,
///     | 54 0A                         |   |   |    |  |                | ports, extensions …
///     +-------------------------------+-------+-------+---------------+--------------------- - -
extension ProxyHeaderDecoder {
    private func readBinary(_ bytes: RawSpan, at start: Int) throws(ProxyStop) -> ProxyHeader {
        try require(Self.binarySignature, bytes, at: start)
        let available = bytes.byteCount - start
        if available > 12 { try judgeVersion(bytes.byte(at: start + 12)) }
        if available > 13, bytes.byte(at: start + 12) & 0x0F != 0 { try judgeFamily(bytes.byte(at: start + 13)) }
        guard available >= Self.binaryPrefixByteCount else {
            throw .incomplete(byteCountNeeded: Self.binaryPrefixByteCount)
        }
        let length = Int(bytes.bigEndian16(at: start + 14))
        let byteCount = Self.binaryPrefixByteCount + length
        guard byteCount <= byteCountMax else { throw .violation(.tooLong(byteCount: byteCount, limit: byteCountMax)) }
        let isLocal = bytes.byte(at: start + 12) & 0x0F == 0
        let family = bytes.byte(at: start + 13)
        if !isLocal, length < addressByteCount(of: family) { throw .violation(.tooShort(byteCount: length)) }
        guard available >= byteCount else { throw .incomplete(byteCountNeeded: byteCount) }
        return isLocal
            ? ProxyHeader(isLocal: true, end: start + byteCount)
            : header(bytes, at: start + Self.binaryPrefixByteCount, family, end: start + byteCount)
    }

    private func judgeVersion(_ byte: UInt8) throws(ProxyStop) {
        if byte >> 4 != 2 { throw .violation(.version(byte >> 4)) }
        if byte & 0x0F > 1 { throw .violation(.command(byte & 0x0F)) }
    }

    private func judgeFamily(_ byte: UInt8) throws(ProxyStop) {
        if byte >> 4 > 3 || byte & 0x0F > 2 { throw .violation(.family(byte)) }
    }

    /// Both addresses and, but for UNIX paths, both ports.
    private func addressByteCount(of family: UInt8) -> Int {
        switch family >> 4 {
        case 1: 12
        case 2: 36
        case 3: 216
        default: 0
        }
    }

    /// TCP over IPv4 (0x11) and over IPv6 (0x21) say who the peer is; what else there is does not.
    private func header(_ bytes: RawSpan, at start: Int, _ family: UInt8, end: Int) -> ProxyHeader {
        switch family {
        case 0x11:
            let source = IPAddress(ipv4: bytes.bigEndian32(at: start))
            let destination = IPAddress(ipv4: bytes.bigEndian32(at: start + 4))
            return header(bytes, source, destination, portsAt: start + 8, end: end)
        case 0x21:
            let source = ipv6(bytes, at: start)
            let destination = ipv6(bytes, at: start + 16)
            return header(bytes, source, destination, portsAt: start + 32, end: end)
        default: return ProxyHeader(end: end)
        }
    }

    private func header(
        _ bytes: RawSpan, _ source: IPAddress, _ destination: IPAddress, portsAt ports: Int, end: Int
    ) -> ProxyHeader {
        ProxyHeader(
            source: IPEndpoint(source, port: bytes.bigEndian16(at: ports)),
            destination: IPEndpoint(destination, port: bytes.bigEndian16(at: ports + 2)), end: end)
    }

    private func ipv6(_ bytes: RawSpan, at offset: Int) -> IPAddress {
        IPAddress(high: bytes.bigEndian64(at: offset), low: bytes.bigEndian64(at: offset + 8))
    }
}
