// Messages that wait: whose turn it is, who loses what when there is no room, and that nothing is lost uncounted.

import ApusWire
import TestSupport
import Testing

@testable import ApusRelay

struct RelayBacklogTests {
    private static let second: UInt64 = 1_000_000_000

    private func makeBacklog(slotCount: Int = 16, _ change: (inout BacklogLimits) -> Void = { _ in }) -> RelayBacklog {
        var limits = BacklogLimits()
        change(&limits)
        return RelayBacklog(slotCount: slotCount, limits: limits, seed: 1)
    }

    /// A message that begins with who sent it and which it is.
    private func message(_ sender: UInt64, _ number: Int, byteCount: Int) -> [UInt8] {
        let word = [UInt8(sender), UInt8(number & 0xFF), UInt8(number >> 8 & 0xFF), 0x5A]
        var bytes = [UInt8](repeating: UInt8(byteCount & 0xFF), count: byteCount)
        for offset in 0..<min(byteCount, 4) { bytes[offset] = word[offset] }
        return bytes
    }

    /// One whose every byte depends on where it stands.
    private func pattern(_ byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 * 31 + $0 >> 8 + byteCount) }
    }

    private func pop(_ backlog: inout RelayBacklog, _ slot: UInt32, at now: UInt64 = 0) -> [UInt8]? {
        var drops = BacklogDrops()
        return pop(&backlog, slot, at: now, &drops)
    }

    private func pop(
        _ backlog: inout RelayBacklog, _ slot: UInt32, at now: UInt64, _ drops: inout BacklogDrops
    ) -> [UInt8]? {
        guard let byteCount = backlog.nextByteCount(for: slot, at: now, drops: &drops) else { return nil }
        let message = written(capacity: byteCount) { backlog.popNext(for: slot, into: &$0) }
        #expect(message.count == byteCount)
        return message
    }

    private func append(
        _ backlog: inout RelayBacklog, _ bytes: [UInt8], to slot: UInt32, from sender: UInt64, at now: UInt64 = 0
    ) -> BacklogDrops {
        var drops = BacklogDrops()
        backlog.append(bytes.span.bytes, to: slot, from: sender, at: now, drops: &drops)
        return drops
    }

    // MARK: Bytes

    @Test func messagesOfEverySizeComeOutAsTheyWentIn() {
        var backlog = makeBacklog()
        // Around one block, around two, and the largest, one behind the other so that each starts anywhere.
        let sizes = Array(1...40) + Array(2030...2060) + Array(4080...4110) + [8819, 8820] + Array(1...20)
        for size in sizes {
            #expect(append(&backlog, pattern(size), to: 3, from: 1) == BacklogDrops())
        }
        #expect(backlog.messageCount(for: 3) == sizes.count)
        #expect(backlog.byteCount(for: 3) == sizes.reduce(0, +) && backlog.byteCount(for: 4) == 0)
        for size in sizes { #expect(pop(&backlog, 3) == pattern(size), "\(size) bytes") }
        #expect(pop(&backlog, 3) == nil)
        #expect((backlog.byteCountInUse, backlog.destinationCount) == (0, 0))
        #expect(backlog.byteCount(for: 3) == 0)
    }

    @Test func aDestinationWithoutBacklogHasNothing() {
        var backlog = makeBacklog()
        for slot in 0..<16 as Range<UInt32> {
            #expect(backlog.isEmpty(for: slot) == true)
            #expect(pop(&backlog, slot) == nil)
            #expect(backlog.discard(slot) == 0)
        }
        #expect(backlog.byteCountInUse == 0)
    }

    @Test func aDestinationThatEndsLosesAllOfItsOwn() {
        var backlog = makeBacklog()
        for number in 0..<30 {
            _ = append(&backlog, message(1, number, byteCount: 1000), to: 1, from: UInt64(number % 3))
            _ = append(&backlog, message(2, number, byteCount: 1000), to: 2, from: UInt64(number % 3))
        }
        #expect(backlog.discard(1) == 30)
        #expect(backlog.isEmpty(for: 1) == true)
        #expect(backlog.messageCount(for: 2) == 30)
        #expect(backlog.discard(2) == 30)
        #expect(backlog.byteCountInUse == 0)
    }

    @Test func aMessageThatIsTooLargeIsAMistakeOfTheCaller() async {
        await #expect(processExitsWith: .failure) {
            var backlog = RelayBacklog(slotCount: 1, limits: BacklogLimits(), seed: 1)
            var drops = BacklogDrops()
            let bytes = [UInt8](repeating: 0, count: 8821)
            backlog.append(bytes.span.bytes, to: 0, from: 0, at: 0, drops: &drops)
        }
    }

    // MARK: Turns

    @Test func sendersOfOneSizeTakeTurns() {
        var backlog = makeBacklog()
        for number in 0..<3 {
            for sender in 1...3 as ClosedRange<UInt64> {
                _ = append(&backlog, message(sender, number, byteCount: 8820), to: 0, from: sender)
            }
        }
        let order = (0..<9).compactMap { _ in pop(&backlog, 0)?.prefix(2).map(\.self) }
        #expect(order == [[1, 0], [2, 0], [3, 0], [1, 1], [2, 1], [3, 1], [1, 2], [2, 2], [3, 2]])
    }

    @Test func aMouseDoesNotWaitForAnElephant() {
        var backlog = makeBacklog()
        for number in 0..<100 { _ = append(&backlog, message(1, number, byteCount: 1400), to: 0, from: 1) }
        _ = append(&backlog, message(2, 0, byteCount: 100), to: 0, from: 2)
        var before = 0
        while let next = pop(&backlog, 0), next[0] == 1 { before += 1 }
        // The elephant has one quantum, 8,820 bytes, before the mouse's turn comes.
        #expect(before == 6)
        #expect(backlog.messageCount(for: 0) == 94)
    }

    /// Whatever the sizes, as many bytes to each as long as both have some: that is what the deficit is for.
    @Test func bytesAreSharedAndNotMessages() {
        var backlog = makeBacklog { $0.bytesPerDestinationMax = 4 << 20 }
        var sent: [UInt64: Int] = [1: 0, 2: 0, 3: 0]
        let sizes: [UInt64: Int] = [1: 8820, 2: 5000, 3: 61]
        for (sender, size) in sizes {
            for number in 0..<700_000 / size {
                _ = append(&backlog, message(sender, number, byteCount: size), to: 0, from: sender)
            }
        }
        for _ in 0..<9000 {
            guard let next = pop(&backlog, 0) else { break }
            sent[UInt64(next[0]), default: 0] += next.count
        }
        let shares = sent.values.sorted()
        #expect(shares[0] > 400_000 && shares[2] - shares[0] <= 2 * 8820, "\(sent)")
    }

    /// Ids that differ in one byte, wherever it is.
    @Test func peersHaveQueuesOfTheirOwn() {
        var backlog = makeBacklog { $0.queuesPerDestinationMax = 36 }
        var drops = BacklogDrops()
        let sources = (0..<36).map { place in
            let bytes = (0..<36).map { $0 == place ? 1 : 0 as UInt8 }
            return PeerID(bytes.span.bytes, at: 0)
        }
        for round in 0..<2 {
            for sender in sources.indices {
                let bytes = message(UInt64(sender), round, byteCount: 8820)
                backlog.append(bytes.span.bytes, to: 0, from: sources[sender], at: 0, drops: &drops)
            }
        }
        let order = (0..<72).compactMap { _ in pop(&backlog, 0)?.prefix(2).map(Int.init) }
        #expect(order == (0..<2).flatMap { round in (0..<36).map { [$0, round] } })
        #expect(drops == BacklogDrops())
    }

    @Test func moreSendersThanQueuesShareThem() {
        var backlog = makeBacklog { $0.queuesPerDestinationMax = 4 }
        let (senderCount, count) = (30, 20)
        for number in 0..<count {
            for sender in 0..<UInt64(senderCount) {
                _ = append(&backlog, message(sender, number, byteCount: 300), to: 0, from: sender)
            }
        }
        var next = [Int](repeating: 0, count: senderCount)
        while let message = pop(&backlog, 0) {
            // Nobody's messages overtake one another, for each keeps to one queue while it is there.
            #expect(Int(message[1]) == next[Int(message[0])])
            next[Int(message[0])] += 1
        }
        #expect(next == [Int](repeating: count, count: senderCount))
    }

    // MARK: No room

    @Test func theElephantLosesItsOwnOldest() {
        var backlog = makeBacklog { $0.bytesPerDestinationMax = 100_000 }
        for number in 0..<5 {
            #expect(append(&backlog, message(2, number, byteCount: 1000), to: 0, from: 2) == BacklogDrops())
        }
        var drops = 0
        for number in 0..<1000 {
            let dropped = append(&backlog, message(1, number, byteCount: 1000), to: 0, from: 1)
            #expect((dropped.aged, dropped.budget) == (0, 0))
            drops += dropped.full
        }
        #expect(drops == 905)
        #expect(backlog.messageCount(for: 0) == 100)
        var (mouse, elephant) = ([Int](), [Int]())
        while let next = pop(&backlog, 0) {
            let number = Int(next[1]) | Int(next[2]) << 8
            if next[0] == 2 { mouse.append(number) } else { elephant.append(number) }
        }
        #expect(mouse == [0, 1, 2, 3, 4])
        #expect(elephant == Array(905..<1000))
    }

    @Test func oneLargeMessageMayCostManySmallOnes() {
        var backlog = makeBacklog { $0.bytesPerDestinationMax = 8820 }
        for number in 0..<88 { _ = append(&backlog, message(1, number, byteCount: 100), to: 0, from: 1) }
        #expect(append(&backlog, message(2, 0, byteCount: 8820), to: 0, from: 2).full == 88)
        #expect(backlog.messageCount(for: 0) == 1)
    }

    @Test func whatWaitsTooLongIsDroppedWhenItsTurnComes() {
        var backlog = makeBacklog()
        for number in 0..<10 {
            let now = UInt64(number) * Self.second / 10
            _ = append(&backlog, message(1, number, byteCount: 50), to: 0, from: 1, at: now)
            _ = append(&backlog, message(2, number, byteCount: 50), to: 0, from: 2, at: now)
        }
        var drops = BacklogDrops()
        // At 1.45 s those of 0 … 0.4 s have waited longer than a second.
        let now = Self.second * 145 / 100
        var numbers: [Int] = []
        while let next = pop(&backlog, 0, at: now, &drops) { numbers.append(Int(next[1])) }
        #expect(numbers.sorted() == (5..<10).flatMap { [$0, $0] })
        #expect((drops.aged, drops.full, drops.budget) == (10, 0, 0))
        #expect(backlog.byteCountInUse == 0)
    }

    @Test func exactlyTheLimitIsNotTooLong() {
        var backlog = makeBacklog()
        // A multiple of the unit in which times are kept.
        let start: UInt64 = 1024 * 1_000_000
        _ = append(&backlog, message(1, 0, byteCount: 50), to: 0, from: 1, at: start)
        var drops = BacklogDrops()
        #expect(backlog.nextByteCount(for: 0, at: start + Self.second, drops: &drops) == 50)
        #expect(backlog.nextByteCount(for: 0, at: start + Self.second + 1, drops: &drops) == nil)
        #expect(drops.aged == 1)
    }

    // MARK: The budget

    @Test func whoeverHoldsMostPaysForTheBudget() {
        var backlog = makeBacklog { $0.byteBudget = 256 << 10 }
        for number in 0..<100 { _ = append(&backlog, message(1, number, byteCount: 2000), to: 0, from: 1) }
        #expect(backlog.byteCountInUse <= 256 << 10)
        var drops = BacklogDrops()
        for slot in 1..<14 as Range<UInt32> {
            for number in 0..<3 {
                let bytes = message(2, number, byteCount: 2000)
                backlog.append(bytes.span.bytes, to: slot, from: 2, at: 0, drops: &drops)
            }
        }
        #expect((drops.full, drops.aged) == (0, 0))
        #expect(drops.budget > 0)
        for slot in 1..<14 as Range<UInt32> { #expect(backlog.messageCount(for: slot) == 3) }
        #expect(backlog.messageCount(for: 0) == 100 - drops.budget)
    }

    @Test func oneMessageFitsIntoTheSmallestBudget() {
        var backlog = makeBacklog { $0.byteBudget = 10_240 }
        for number in 0..<10 {
            let drops = append(&backlog, message(1, number, byteCount: 8820), to: UInt32(number), from: 1)
            #expect(drops.budget == (number == 0 ? 0 : 1))
            #expect(backlog.byteCountInUse == 10_240)
        }
        #expect(pop(&backlog, 9) == message(1, 9, byteCount: 8820))
    }

    /// Everything at once: what went in comes out in order and whole, or is counted, and no limit is ever passed.
    @Test(arguments: [32 << 10, 200 << 10, 8 << 20])
    func nothingIsLostUncounted(byteBudget: Int) {
        var generator = SeededGenerator.announced()
        var backlog = makeBacklog(slotCount: Tally.slotCount) {
            $0.byteBudget = byteBudget
            $0.bytesPerDestinationMax = 60_000
            $0.ageNanosecondsMax = Self.second / 4
        }
        var tally = Tally()
        for step in 0..<15_000 {
            // Connections are full for a while, and then they are not.
            change(&backlog, &tally, &generator, takes: step / 500 % 2 == 0 ? 1 : 10)
            #expect(backlog.byteCountInUse <= byteBudget, "step \(step)")
        }
        let waiting = (0..<UInt32(Tally.slotCount)).reduce(0) { $0 + backlog.messageCount(for: $1) }
        #expect(tally.appended == tally.popped + tally.discarded + waiting + tally.dropped)
        for slot in 0..<UInt32(Tally.slotCount) { _ = backlog.discard(slot) }
        #expect((backlog.byteCountInUse, backlog.destinationCount) == (0, 0))
        #expect(tally.dropped > 1000, "too little has happened")
        print("nothingIsLostUncounted: \(tally.appended) in, \(tally.popped) out, \(tally.drops)")
    }

    private struct Tally {
        static let slotCount = 12
        static let senderCount = 3

        var now: UInt64 = 0
        var (appended, popped, discarded) = (0, 0, 0)
        var drops = BacklogDrops()
        /// By destination and sender: the last number that came out.
        var last = [[Int]](repeating: [Int](repeating: -1, count: senderCount), count: slotCount)

        var dropped: Int { drops.full + drops.aged + drops.budget }
    }

    /// - Parameter takes: how often, of 20 times, something is taken out.
    private func change(
        _ backlog: inout RelayBacklog, _ tally: inout Tally, _ generator: inout SeededGenerator, takes: Int
    ) {
        tally.now += UInt64(generator.below(2_000_000))
        let slot = UInt32(generator.below(Tally.slotCount))
        switch generator.below(20) {
        case 0 where generator.once(in: 20): tally.discarded += backlog.discard(slot)
        case 1...takes: takeOut(&backlog, slot, &tally, count: generator.below(12))
        default:
            let sender = UInt64(generator.below(Tally.senderCount))
            let byteCount = generator.once(in: 3) ? 3 + generator.below(8818) : 3 + generator.below(200)
            let bytes = message(sender, tally.appended, byteCount: byteCount)
            backlog.append(bytes.span.bytes, to: slot, from: sender, at: tally.now, drops: &tally.drops)
            tally.appended += 1
        }
    }

    private func takeOut(_ backlog: inout RelayBacklog, _ slot: UInt32, _ tally: inout Tally, count: Int) {
        for _ in 0..<count {
            guard let next = pop(&backlog, slot, at: tally.now, &tally.drops) else { return }
            let (sender, number) = (Int(next[0]), Int(next[1]) | Int(next[2]) << 8)
            #expect(next == message(UInt64(sender), number, byteCount: next.count))
            #expect(number > tally.last[Int(slot)][sender])
            tally.last[Int(slot)][sender] = number
            tally.popped += 1
        }
    }
}
