// What a simulated client hears, held against what it must hear. A packet at a time; each is a reply, or something that
// may come between replies.

import ApusServer

struct Hearing {
    enum Heard {
        case ping
        case disconnect
        case push
        case reply
        /// Not what had to come.
        case mistake(Invariant, String)
    }

    private let number: UInt8
    private let session: SessionKind
    private let replies: [[UInt8]]
    private var incoming = ByteQueue()
    private var lastPush = -1

    private(set) var replyCount = 0
    private(set) var pingCount = 0
    private(set) var pushCount = 0

    init(_ number: UInt8, _ script: Script) {
        self.number = number
        session = script.session
        replies = script.requests.flatMap(\.replies)
    }

    /// A part of a packet has come.
    var isAmidPacket: Bool { !incoming.isEmpty }

    /// At most `countMax` bytes; returns how many.
    mutating func read(countMax: Int, from socket: SimulatedSocket, of kernel: SimulatedKernel) -> Int {
        kernel.read(&incoming, countMax: countMax, from: socket)
    }

    /// The next packet, if it is there whole. So many replies are due.
    mutating func next(repliesDue: Int) -> Heard? {
        guard incoming.count >= 9 else { return nil }
        let header = incoming.withBytes { Array($0[..<9]) }
        guard header.starts(with: [0x4E, 0x50, 0x52, 0x4F, 0x01]) else {
            return .mistake(.wrongReply, "\(header), which is no header, behind \(replyCount) replies")
        }
        let byteCount = 9 + header[5...].reduce(0) { $0 << 8 | Int($1) }
        guard incoming.count >= byteCount else { return nil }
        let heard = judge(byteCount, repliesDue)
        incoming.drop(byteCount)
        return heard
    }

    private mutating func judge(_ byteCount: Int, _ repliesDue: Int) -> Heard {
        if incoming.starts(with: Wire.pushPrefix, at: 9) { return judgePush(byteCount) }
        if session == .message, incoming.starts(with: Wire.disconnect) { return .disconnect }
        if session == .message, incoming.starts(with: Wire.ping) {
            pingCount += 1
            return .ping
        }
        guard replyCount < repliesDue else {
            return .mistake(.unexpectedReply, "\(byteCount) bytes behind \(replyCount) replies, of which all had come")
        }
        let expected = replies[replyCount]
        guard expected.count == byteCount, incoming.starts(with: expected) else {
            return .mistake(.wrongReply, "\(byteCount) bytes, not the \(expected.count) of reply \(replyCount)")
        }
        replyCount += 1
        return .reply
    }

    /// Pushes may be dropped, but they come in order, and only to their addressee.
    private mutating func judgePush(_ byteCount: Int) -> Heard {
        let content = incoming.withBytes { Array($0[..<byteCount].suffix(9)) }
        let place = content.dropFirst().reversed().reduce(0) { $0 << 8 | Int($1) }
        guard content.first == number, place > lastPush else {
            return .mistake(.wrongReply, "push \(place) for client \(content[0]), behind push \(lastPush)")
        }
        lastPush = place
        pushCount += 1
        return .push
    }
}
