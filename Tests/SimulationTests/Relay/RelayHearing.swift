// What a simulated peer hears: the answer to its upgrade, then frames with a message in each (relay.md §1.3).

import ApusServer

struct RelayHearing {
    enum Heard {
        case upgraded
        /// An answer that is no upgrade, after which nothing counts.
        case refused
        case authResponse
        case datagram(source: Int?, content: [UInt8])
        case close
        case healthCheck
        case news([Int], isOnline: Bool)
        case pong
        case closeFrame
        case mistake(String)
    }

    private enum Stage { case head, frames, deaf }

    private var incoming = ByteQueue()
    private var stage = Stage.head
    private let url: [UInt8]

    init(url: String) { self.url = Array(url.utf8) }

    /// A part of a frame has come, or of the head.
    var isAmidFrame: Bool { stage != .deaf && !incoming.isEmpty }

    /// At most `countMax` bytes; returns how many.
    mutating func read(countMax: Int, from socket: SimulatedSocket, of kernel: SimulatedKernel) -> Int {
        kernel.read(&incoming, countMax: countMax, from: socket)
    }

    /// What has come whole; nil: nothing.
    mutating func next() -> Heard? {
        switch stage {
        case .head: nextHead()
        case .frames: nextFrame()
        case .deaf: nil
        }
    }

    private mutating func nextHead() -> Heard? {
        let end = Array("\r\n\r\n".utf8)
        guard incoming.count >= end.count,
            let start = (0...incoming.count - end.count).first(where: { incoming.starts(with: end, at: $0) })
        else { return nil }
        let isUpgraded = incoming.starts(with: Array("HTTP/1.1 101 ".utf8))
        stage = isUpgraded ? .frames : .deaf
        if isUpgraded { incoming.drop(start + end.count) }
        return isUpgraded ? .upgraded : .refused
    }

    private mutating func nextFrame() -> Heard? {
        guard incoming.count >= 2 else { return nil }
        let head = incoming.withBytes { Array($0.prefix(4)) }
        // A relay never fragments, never masks, and sends nothing whose length has eight bytes.
        guard head[0] & 0xF0 == 0x80, head[1] < 127 else { return .mistake("frame \(head)") }
        let headerByteCount = head[1] == 126 ? 4 : 2
        guard incoming.count >= headerByteCount else { return nil }
        let byteCount = head[1] == 126 ? Int(head[2]) << 8 | Int(head[3]) : Int(head[1])
        guard incoming.count >= headerByteCount + byteCount else { return nil }
        let payload = incoming.withBytes { Array($0[headerByteCount..<headerByteCount + byteCount]) }
        incoming.drop(headerByteCount + byteCount)
        return understand(payload, opcode: head[0] & 0x0F)
    }

    private func understand(_ payload: [UInt8], opcode: UInt8) -> Heard {
        switch opcode {
        case 2: understand(payload)
        case 8: .closeFrame
        case 10: .pong
        default: .mistake("opcode \(opcode)")
        }
    }

    private func understand(_ message: [UInt8]) -> Heard {
        guard message.count >= 2, message.count <= 8820, message[0] == 1 else {
            return .mistake("\(message.count) bytes, \(message.prefix(2))")
        }
        switch message[1] {
        case 3 where message.count >= 38:
            return .datagram(source: RelayWire.number(of: message[2..<38]), content: Array(message[38...]))
        case 4 where message.count == 2: return .close
        case 5 where message.count == 2: return .healthCheck
        case 7 where message[2...].elementsEqual(url): return .authResponse
        case 10, 11: return news(message, isOnline: message[1] == 10)
        default: return .mistake("message \(message.prefix(2)) of \(message.count) bytes")
        }
    }

    private func news(_ message: [UInt8], isOnline: Bool) -> Heard {
        let places = stride(from: 2, to: message.count, by: 36)
        guard message.count > 2, (message.count - 2) % 36 == 0 else { return .mistake("a list of no ids") }
        let numbers = places.compactMap { RelayWire.number(of: message[$0..<$0 + 36]) }
        return numbers.count == places.underestimatedCount
            ? .news(numbers, isOnline: isOnline) : .mistake("news of an id that nobody knows")
    }
}
