// libFuzzer driver for what waits in the relay: whatever is put in and taken out in whatever order, messages come out
// whole and in order, nothing is lost uncounted, no limit is passed. The address sanitizer watches the blocks.

import ApusRelay
import ApusWire
import FuzzSupport

@main
struct FuzzBacklog {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is a byte of limits and then steps of three bytes: what and where, from whom, how much.
///
///     what & 3   0, 1   a message waits, of (how much × 35) bytes
///                2      messages are taken out, as many as how much says
///                3      time passes, how much × 2 ms; with how much 255 the destination ends
///     what >> 2         the destination, modulo 8
func fuzz(_ input: [UInt8]) {
    guard let settings = input.first else { return }
    var waiting = Waiting(settings)
    var rest = input.dropFirst()
    while rest.count >= 3 {
        let step = Array(rest.prefix(3))
        rest = rest.dropFirst(3)
        waiting.take(step[0] & 3, UInt32(step[0] >> 2 & 7), from: step[1] & 7, Int(step[2]))
    }
    waiting.end()
}

struct Waiting: ~Copyable {
    static let slotCount = 8

    let limits: BacklogLimits
    var backlog: RelayBacklog
    var drops = BacklogDrops()
    var now: UInt64 = 0
    var (appended, popped, discarded) = (0, 0, 0)
    /// By destination and sender: the number of the message that came out last.
    var last = [[Int]](repeating: [Int](repeating: -1, count: 8), count: slotCount)

    init(_ settings: UInt8) {
        var limits = BacklogLimits()
        limits.byteBudget = 10_240 << Int(settings & 7)
        limits.bytesPerDestinationMax = 9000 << Int(settings >> 3 & 3)
        limits.ageNanosecondsMax = 500_000_000
        // Those that share a queue may be overtaken by others of theirs, so here nobody shares.
        limits.queuesPerDestinationMax = 8
        self.limits = limits
        backlog = RelayBacklog(slotCount: Waiting.slotCount, limits: limits, seed: UInt64(settings))
    }

    mutating func take(_ what: UInt8, _ slot: UInt32, from sender: UInt8, _ amount: Int) {
        switch what {
        case 0, 1: append(to: slot, from: sender, byteCount: max(5, min(amount * 35, 8820)))
        case 2: for _ in 0..<amount { pop(slot) }
        default: if amount == 255 { discarded += backlog.discard(slot) } else { now += UInt64(amount) * 2_000_000 }
        }
        require(backlog.byteCountInUse <= limits.byteBudget, "the budget is passed")
    }

    mutating func append(to slot: UInt32, from sender: UInt8, byteCount: Int) {
        let message = Waiting.message(sender, appended, byteCount)
        backlog.append(message.span.bytes, to: slot, from: UInt64(sender), at: now, drops: &drops)
        appended += 1
        require(!backlog.isEmpty(for: slot), "what was put in is not there")
    }

    mutating func pop(_ slot: UInt32) {
        guard let byteCount = backlog.nextByteCount(for: slot, at: now, drops: &drops) else {
            return require(backlog.isEmpty(for: slot), "there is no next message")
        }
        // Not one byte more than it says.
        let message = [UInt8](unsafeUninitializedCapacity: byteCount) { buffer, count in
            let room = UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(buffer)[..<byteCount])
            var output = OutputRawSpan(buffer: room, initializedCount: 0)
            backlog.popNext(for: slot, into: &output)
            count = output.finalize(for: room)
        }
        let (sender, number) = (message[0], message[1..<5].reversed().reduce(0) { $0 << 8 | Int($1) })
        require(message == Waiting.message(sender, number, byteCount), "a message was altered")
        require(number > last[Int(slot)][Int(sender)], "a message was overtaken")
        last[Int(slot)][Int(sender)] = number
        popped += 1
    }

    mutating func end() {
        for slot in 0..<UInt32(Waiting.slotCount) { discarded += backlog.discard(slot) }
        let dropped = drops.full + drops.aged + drops.budget
        require(appended == popped + discarded + dropped, "a message was lost uncounted, or twice")
        require(backlog.byteCountInUse == 0 && backlog.destinationCount == 0, "something is left")
    }

    /// It begins with who sent it and which it is, and every byte behind that depends on where it stands.
    static func message(_ sender: UInt8, _ number: Int, _ byteCount: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: byteCount)
        bytes[0] = sender
        for offset in 1..<5 { bytes[offset] = UInt8(number >> ((offset - 1) * 8) & 0xFF) }
        for offset in 5..<byteCount { bytes[offset] = UInt8(truncatingIfNeeded: offset + offset >> 8 + number) }
        return bytes
    }
}
