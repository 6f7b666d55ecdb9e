// Every datagram of a run, from whom and for whom, and which of them have arrived: the oracle of what a relay forwards.

import ApusReactor

struct Datagram {
    let sender: UInt8
    /// Which id it is for.
    let destination: Int
    let content: [UInt8]
    /// When its last byte had left its sender; never: it has not.
    var written = Instant.never
    var isHeard = false
}

final class Post {
    /// A datagram begins with its number; shorter ones carry none and are only counted.
    static let byteCountMin = 4
    /// Around a login, loops learn of it one after the other, and datagrams may go different ways.
    private static let settling: Nanoseconds = 500 * .millisecond

    /// One shard knows at once who is where.
    private let hasOneShard: Bool
    private(set) var datagrams: [Datagram] = []
    private(set) var heardCount: UInt64 = 0
    /// Those of no bytes.
    private(set) var blanksWritten: UInt64 = 0
    private(set) var overtakings: UInt64 = 0

    init(shardCount: Int) { hasOneShard = shardCount == 1 }

    func write(from sender: UInt8, to destination: Int, byteCount: Int, _ random: inout Generator) -> Int {
        let number = datagrams.count
        let head = (0..<4).map { UInt8(truncatingIfNeeded: number >> (24 - 8 * $0)) }
        let content = byteCount < Post.byteCountMin ? [] : head + Wire.text(byteCount - 4, &random)
        datagrams.append(Datagram(sender: sender, destination: destination, content: content))
        return number
    }

    func noteWritten(_ number: Int, at now: Instant) { datagrams[number].written = now }

    /// By one client, or by all.
    func writtenCount(of sender: UInt8? = nil) -> UInt64 {
        UInt64(datagrams.count { $0.written != .never && (sender == nil || $0.sender == sender) })
    }

    /// - Returns: what is wrong with it; nil: nothing.
    func hear(
        _ content: [UInt8], from source: Int?, by client: RelayModelClient, _ sourceOf: (UInt8) -> Int
    ) -> (Invariant, String)? {
        heardCount += 1
        guard content.count >= Post.byteCountMin else { return nil }
        let number = content[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard datagrams.indices.contains(number), datagrams[number].content == content else {
            return (.datagramChanged, "\(content.count) bytes that nobody sent")
        }
        let datagram = datagrams[number]
        let detail = "datagram \(number) of client \(datagram.sender) for id \(datagram.destination)"
        if datagram.destination != client.script.id { return (.datagramMisled, detail) }
        if sourceOf(datagram.sender) != source { return (.datagramMisled, "\(detail), from \(source ?? -1)") }
        if datagram.isHeard { return (.datagramTwice, detail) }
        datagrams[number].isHeard = true
        return judgeOrder(number, datagram, client).map { (.datagramOvertaken, "\(detail): \($0)") }
    }

    /// Of one sender to one receiver in order, unless the earlier was sent while loops still heard of the receiver.
    private func judgeOrder(_ number: Int, _ datagram: Datagram, _ client: RelayModelClient) -> String? {
        guard let last = client.noteArrival(number, of: datagram.sender), last > number else { return nil }
        overtakings += 1
        guard hasOneShard || datagram.written > client.peerSince + Post.settling else { return nil }
        return "behind \(last)"
    }
}
