// The requests of every connection, encoded once. A correct reply is the same bytes, so they are also what replies are
// compared with.

import ApusWire

/// One packet, or several copies of it in a row. The bytes belong to whoever made it, and must outlive what is prepared
/// with them: a load lets the kernel finish before it frees them.
struct PacketRun: BitwiseCopyable {
    let start: UnsafeRawPointer
    let packetByteCount: Int
    /// At least one.
    let count: Int

    var byteCount: Int { packetByteCount * count }

    /// The first `count` packets.
    @inline(__always)
    func prefix(_ count: Int) -> UnsafeRawBufferPointer {
        assert(0...self.count ~= count)
        return UnsafeRawBufferPointer(start: start, count: packetByteCount * count)
    }

    static func fill(_ start: UnsafeMutableRawPointer, with packet: [UInt8], count: Int) {
        for copy in 0..<count {
            (start + copy * packet.count).copyMemory(from: packet, byteCount: packet.count)
        }
    }
}

/// Copies of one packet, with their memory.
struct PacketCopies: ~Copyable {
    let run: PacketRun

    init(of message: Message, count: Int) {
        let packet = PacketEncoder.encode(message)
        let start = UnsafeMutableRawPointer.allocate(byteCount: packet.count * count, alignment: 64)
        PacketRun.fill(start, with: packet, count: count)
        run = PacketRun(start: start, packetByteCount: packet.count, count: count)
    }

    deinit { run.start.deallocate() }
}

struct EchoRequests: ~Copyable {
    /// All connections' requests. The sum: connections × copies × packet.
    static let byteCountMax = 1 << 30
    /// What copies may take of it; past that, a send carries fewer requests.
    static let copiesByteCountMax = 128 << 20
    /// The most that one send carries: as much as the server itself sends at a time.
    static let sendByteCountMax = 256 << 10
    /// Digits of a connection's number at the start of its text. A shorter text has none.
    static let numberDigitCount = 8

    let packetByteCount: Int
    /// Requests that one send can carry.
    let countPerSend: Int
    private let start: UnsafeMutableRawPointer

    /// - Parameter countPerSendMax: no send will carry more requests than these.
    init(connections: Int, textByteCount: Int, countPerSendMax: Int) {
        packetByteCount = EchoRequests.packetByteCount(textByteCount: textByteCount)
        let byteCountMax = min(EchoRequests.sendByteCountMax, EchoRequests.copiesByteCountMax / connections)
        countPerSend = max(1, min(countPerSendMax, byteCountMax / packetByteCount))
        start = .allocate(byteCount: packetByteCount * countPerSend * connections, alignment: 64)
        for connection in 0..<connections {
            let packet = EchoRequests.packet(of: connection, textByteCount: textByteCount)
            PacketRun.fill(start + connection * runByteCount, with: packet, count: countPerSend)
        }
    }

    deinit { start.deallocate() }

    /// Of one connection's copies.
    @inline(__always)
    var runByteCount: Int { packetByteCount * countPerSend }

    @inline(__always)
    subscript(connection: Int) -> PacketRun {
        PacketRun(start: start + connection * runByteCount, packetByteCount: packetByteCount, count: countPerSend)
    }

    static func packetByteCount(textByteCount: Int) -> Int {
        PacketFormat.headerByteCount + MessageEncoder.byteCountOfEcho(textByteCount: textByteCount)
    }

    /// The text starts with the connection's number, so that a reply to somebody else's request is a wrong reply.
    static func packet(of connection: Int, textByteCount: Int) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(textByteCount)
        if textByteCount >= numberDigitCount {
            let digits = Array(String(connection).utf8)
            text += repeatElement(UInt8(ascii: "0"), count: numberDigitCount - digits.count)
            text += digits
        }
        while text.count < textByteCount { text.append(UInt8(ascii: "a") + UInt8(text.count % 26)) }
        return PacketEncoder.encode(.echo(String(decoding: text, as: UTF8.self)))
    }
}
