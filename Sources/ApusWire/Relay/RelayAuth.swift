// The first message of a client: who it says it is, and what it brings to be believed (relay.md §1.3.1). Whether the
// token is good is another module's to say.

public struct RelayAuth: Equatable, Sendable {
    public let peer: PeerID
    /// Where in the message the token lies; it may be empty.
    public let token: Range<Int>

    /// Read a whole message.
    public init(decoding message: RawSpan) throws(RelayAuthViolation) {
        guard message.byteCount <= RelayFormat.authByteCountMax else { throw .oversize(byteCount: message.byteCount) }
        do throws(RelayViolation) {
            _ = try RelayHeader(message) { $0 == .auth }
        } catch {
            throw RelayAuthViolation(error)
        }
        let magicEnd = RelayFormat.headerByteCount + MemoryLayout<UInt32>.size
        guard message.byteCount >= magicEnd else { throw .truncated(byteCount: message.byteCount) }
        let magic = message.bigEndian32(at: RelayFormat.headerByteCount)
        guard magic == RelayFormat.magic else { throw .magic(magic) }
        guard message.byteCount >= RelayFormat.authHeaderByteCount else {
            throw .truncated(byteCount: message.byteCount)
        }
        peer = PeerID(message, at: magicEnd)
        token = RelayFormat.authHeaderByteCount..<message.byteCount
    }
}

/// Why a first message is no Auth; the connection is closed.
public enum RelayAuthViolation: Error, Equatable, BitwiseCopyable, Sendable {
    case empty
    /// One byte.
    case tooShort
    case version(UInt8)
    /// Not Auth. Type 1, the handshake of NetBird 0.29.0, is refused as all others are (relay.md §1.3.9).
    case type(UInt8)
    /// It ends within the magic number or the id.
    case truncated(byteCount: Int)
    case magic(UInt32)
    /// Longer than any Auth may be; what reads it may stop there.
    case oversize(byteCount: Int)

    init(_ violation: RelayViolation) {
        self = switch violation {
        case .empty: .empty
        case .tooShort: .tooShort
        case .version(let version): .version(version)
        case .type(let type): .type(type)
        }
    }

    /// The name in metrics and logs.
    public var label: String {
        switch self {
        case .empty: "empty"
        case .tooShort: "too_short"
        case .version: "bad_version"
        case .type: "bad_type"
        case .truncated: "truncated"
        case .magic: "bad_magic"
        case .oversize: "oversize"
        }
    }
}

extension RelayAuthViolation: CustomStringConvertible {
    public var description: String {
        switch self {
        case .empty: "\(RelayViolation.empty)"
        case .tooShort: "\(RelayViolation.tooShort)"
        case .version(let version): "\(RelayViolation.version(version))"
        case .type(RelayMessageType.hello.rawValue):
            "Hello is the handshake of NetBird 0.29.0, which is spoken no more: update the client"
        case .type(let type): "a message of type \(type) cannot be the first: Auth is"
        case .truncated(let byteCount):
            "an Auth of \(byteCount) bytes is cut: it has \(RelayFormat.authHeaderByteCount) bytes and a token"
        case .magic(let magic):
            "the magic number is 0x\(String(magic, radix: 16)): does the peer speak the relay protocol?"
        case .oversize(let byteCount):
            "an Auth of \(byteCount) bytes is longer than \(RelayFormat.authByteCountMax): shorten its token"
        }
    }
}
