// What two servers say to each other while one takes over from the other. Values and bytes; no socket.
//
//     0        4         5      6
//     +--------+---------+------+-----------
//     | length | version | kind | fields …
//     +--------+---------+------+-----------
//
// The length counts what follows it. Numbers are big-endian; a text is its UTF-8 behind a count of two bytes.

enum HandOverMessage: Equatable, Sendable {
    /// A successor asks for the listening sockets.
    case take(processID: Int32, program: String)
    /// An operator asks the server to start its successor.
    case upgrade
    /// One listener, or a part of its sockets; the descriptors travel beside these bytes.
    case listener(HandOverListener)
    /// That was all of them.
    case end
    /// The successor serves.
    case ready(processID: Int32)
    /// The server before it accepts no more: the successor has taken over.
    case released
    /// No: the successor must not serve. Also the end of a hand-over that took too long.
    case refused(reason: String)
    /// The successor gave up.
    case failed(reason: String)
    /// What became of an `upgrade`.
    case outcome(succeeded: Bool, text: String)
}

struct HandOverListener: Equatable, Sendable {
    let name: String
    /// As bound.
    let address: String
    /// systemd chose the address, and it holds, whatever a configuration says.
    let isActivated: Bool
    let descriptorCount: Int
}

/// A violation of the format above, or of the order of its messages.
enum HandOverViolation: Error, Equatable, CustomStringConvertible {
    case version(UInt8)
    case length(Int)
    case kind(UInt8)
    case malformed
    case unexpected
    case descriptors(announced: Int, found: Int)

    var description: String {
        switch self {
        case .version(let version):
            "it speaks version \(version) of the hand-over, and this program \(HandOverMessage.version)"
        case .length(let count): "a message of \(count) bytes is longer than any can be"
        case .kind(let kind): "messages of kind \(kind) are unknown here"
        case .malformed: "a message is malformed"
        case .unexpected: "a message came out of order"
        case .descriptors(let announced, let found): "\(announced) descriptors were announced, \(found) came"
        }
    }
}

extension HandOverMessage {
    static let version: UInt8 = 1
    static let lengthByteCount = 4
    /// Two long texts and their surroundings.
    static let byteCountMax = 16 << 10
    /// Longer ones are cut off.
    static let textByteCountMax = 4 << 10

    private enum Kind: UInt8 {
        case take = 1, upgrade, listener, end, ready, released, refused, failed, outcome
    }

    // MARK: Encoding

    func encoded() -> [UInt8] {
        var fields = HandOverFields()
        let kind = encode(into: &fields)
        let body = [HandOverMessage.version, kind.rawValue] + fields.bytes
        return HandOverFields.octets(of: UInt32(body.count)) + body
    }

    private func encode(into fields: inout HandOverFields) -> Kind {
        switch self {
        case .take(let processID, let program):
            fields.put(processID)
            fields.put(program)
            return .take
        case .upgrade: return .upgrade
        case .listener(let listener):
            fields.put(listener.name)
            fields.put(listener.address)
            fields.put(listener.isActivated)
            fields.put(Int32(listener.descriptorCount))
            return .listener
        case .end: return .end
        case .ready(let processID):
            fields.put(processID)
            return .ready
        case .released: return .released
        case .refused(let reason):
            fields.put(reason)
            return .refused
        case .failed(let reason):
            fields.put(reason)
            return .failed
        case .outcome(let succeeded, let text):
            fields.put(succeeded)
            fields.put(text)
            return .outcome
        }
    }

    // MARK: Decoding

    /// How many bytes follow the length.
    static func bodyByteCount(_ length: [UInt8]) throws(HandOverViolation) -> Int {
        let count = length.reduce(0) { $0 << 8 | Int($1) }
        guard (2...byteCountMax).contains(count) else { throw .length(count) }
        return count
    }

    /// - Parameter body: what follows the length, whole.
    init(decoding body: [UInt8]) throws(HandOverViolation) {
        guard body.count >= 2 else { throw .malformed }
        guard body[0] == HandOverMessage.version else { throw .version(body[0]) }
        guard let kind = Kind(rawValue: body[1]) else { throw .kind(body[1]) }
        var fields = HandOverFields(bytes: Array(body.dropFirst(2)))
        self = try HandOverMessage.decode(kind, from: &fields)
        guard fields.bytes.isEmpty else { throw .malformed }
    }

    private static func decode(
        _ kind: Kind, from fields: inout HandOverFields
    ) throws(HandOverViolation) -> HandOverMessage {
        switch kind {
        case .take: .take(processID: try fields.takeNumber(), program: try fields.takeText())
        case .upgrade: .upgrade
        case .listener: .listener(try HandOverListener(from: &fields))
        case .end: .end
        case .ready: .ready(processID: try fields.takeNumber())
        case .released: .released
        case .refused: .refused(reason: try fields.takeText())
        case .failed: .failed(reason: try fields.takeText())
        case .outcome: .outcome(succeeded: try fields.takeFlag(), text: try fields.takeText())
        }
    }
}

extension HandOverListener {
    fileprivate init(from fields: inout HandOverFields) throws(HandOverViolation) {
        name = try fields.takeText()
        address = try fields.takeText()
        isActivated = try fields.takeFlag()
        descriptorCount = Int(try fields.takeNumber())
        guard (0...HandOverChannel.descriptorsAtOnceMax).contains(descriptorCount) else { throw .malformed }
    }
}

/// The fields of one message: written at the end, read from the start.
private struct HandOverFields {
    var bytes: [UInt8] = []

    static func octets(of number: UInt32) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
    }

    mutating func put(_ number: Int32) { bytes += HandOverFields.octets(of: UInt32(bitPattern: number)) }

    mutating func put(_ flag: Bool) { bytes.append(flag ? 1 : 0) }

    mutating func put(_ text: String) {
        let utf8 = text.utf8.prefix(HandOverMessage.textByteCountMax)
        bytes += [UInt8(utf8.count >> 8), UInt8(utf8.count & 0xFF)] + utf8
    }

    mutating func takeNumber() throws(HandOverViolation) -> Int32 {
        Int32(bitPattern: try take(4).reduce(0) { $0 << 8 | UInt32($1) })
    }

    mutating func takeFlag() throws(HandOverViolation) -> Bool {
        switch try take(1)[0] {
        case 0: false
        case 1: true
        default: throw .malformed
        }
    }

    mutating func takeText() throws(HandOverViolation) -> String {
        let count = try take(2).reduce(0) { $0 << 8 | Int($1) }
        // What was cut off in the middle of a character is repaired: it is for people to read.
        return String(decoding: try take(count), as: UTF8.self)
    }

    private mutating func take(_ count: Int) throws(HandOverViolation) -> [UInt8] {
        guard bytes.count >= count else { throw .malformed }
        defer { bytes.removeFirst(count) }
        return Array(bytes.prefix(count))
    }
}
