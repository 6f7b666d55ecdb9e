// What a proxy says of the connection it passes on (HAProxy's PROXY protocol, 2020/03/05). It must never know whether
// the proxy is believed.

public struct ProxyHeader: BitwiseCopyable, Equatable, Sendable {
    /// Who connected to the proxy. Nil when it does not say, or says it of a protocol that is not TCP: then the
    /// connection's own address is all there is.
    public let source: IPEndpoint?
    /// What they connected to; nil together with `source`.
    public let destination: IPEndpoint?
    /// The proxy speaks for itself, as in a health check (§2.2, LOCAL).
    public let isLocal: Bool
    /// Where the peer's own bytes start.
    public let end: Int

    init(source: IPEndpoint? = nil, destination: IPEndpoint? = nil, isLocal: Bool = false, end: Int) {
        (self.source, self.destination, self.isLocal, self.end) = (source, destination, isLocal, end)
    }
}

/// The answer of `ProxyHeaderDecoder.step`.
public enum ProxyHeaderStep: Equatable, Sendable {
    case header(ProxyHeader)
    /// Nothing wrong so far. Counted from the offset, the next attempt needs at least so many bytes.
    case incomplete(byteCountNeeded: Int)
    /// No proxy's connection, or a broken proxy's; close it.
    case violation(ProxyViolation)
}

/// What is wrong with a header.
public enum ProxyViolation: Error, BitwiseCopyable, Equatable, Hashable, Sendable {
    /// Byte `offset` begins neither version's header.
    case signature(offset: Int, found: UInt8)
    /// No CR LF within 107 bytes (§2.1).
    case lineTooLong
    /// Not `PROXY TCP4|TCP6|UNKNOWN …` with single blanks and numbers that make sense (§2.1).
    case line
    /// Another version than 2 behind the binary signature.
    case version(UInt8)
    /// Neither LOCAL nor PROXY.
    case command(UInt8)
    /// Family and transport that nobody has assigned (§2.2).
    case family(UInt8)
    /// The addresses of the family do not fit the announced length.
    case tooShort(byteCount: Int)
    /// More than the limit; nothing was buffered for it.
    case tooLong(byteCount: Int, limit: Int)
}

extension ProxyViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .signature(let offset, let found):
            "byte \(offset) is \(found), which begins no PROXY header: the peer is no proxy, or does not send one"
        case .lineTooLong: "a PROXY line has no end within \(ProxyHeaderDecoder.lineByteCountMax) bytes"
        case .line: "a PROXY line is not PROXY TCP4|TCP6|UNKNOWN SOURCE DESTINATION PORT PORT"
        case .version(let version): "PROXY version \(version) is not spoken"
        case .command(let command): "PROXY command \(command) has no meaning"
        case .family(let family): "PROXY family and transport \(family) have no meaning"
        case .tooShort(let byteCount): "\(byteCount) bytes cannot hold the addresses of the family"
        case .tooLong(let byteCount, let limit): "a PROXY header of \(byteCount) bytes, the limit is \(limit)"
        }
    }
}
