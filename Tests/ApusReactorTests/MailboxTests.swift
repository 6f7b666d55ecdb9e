import ApusReactor
import Dispatch
import Synchronization
import TestSupport
import Testing

/// Small lanes, so that everything wraps and fills.
private func smallSizes() -> MailboxSizes {
    var sizes = MailboxSizes()
    sizes.dataByteCount = 1024
    sizes.controlCount = 4
    sizes.pendingCount = 8
    return sizes
}

extension Mailbox.Outbox {
    fileprivate func post(_ bytes: [UInt8], to destination: UInt64 = 0) -> Bool {
        post(destination: destination, bytes: bytes.span.bytes)
    }

    fileprivate func post(kind: UInt8 = 1, _ first: UInt64, coalesces: Bool = false, second: UInt64 = 0) -> Bool {
        post(ControlMessage(kind: kind, coalesces: coalesces, first: first, second: second))
    }
}

extension Mailbox.Inbox {
    fileprivate struct Letter: Equatable {
        var destination: UInt64
        var bytes: [UInt8]
    }

    fileprivate func letters() -> [Letter] {
        var letters: [Letter] = []
        drain { _, destination, bytes in
            letters.append(Letter(destination: destination, bytes: bytes.withUnsafeBytes(Array.init)))
        }
        return letters
    }

    fileprivate func controls() -> [ControlMessage] {
        var messages: [ControlMessage] = []
        drainControl { messages.append($0) }
        return messages
    }
}

@Suite struct DataLaneTests {
    private let grid: MailboxGrid
    private let outbox: Mailbox.Outbox
    private let inbox: Mailbox.Inbox

    init() throws {
        grid = try MailboxGrid(shardCount: 3, sizes: smallSizes())
        outbox = grid.outbox(from: 0, to: 2)
        inbox = grid.inbox(from: 0, to: 2)
    }

    @Test func deliversInOrderAndOnce() {
        for number: UInt8 in 0..<5 { #expect(outbox.post(Array(repeating: number, count: Int(number)), to: 7)) }
        #expect(inbox.letters() == (0..<5).map { .init(destination: 7, bytes: Array(repeating: $0, count: Int($0))) })
        #expect(inbox.letters() == [])
    }

    @Test func refusesWhenFullAndTakesAgainAfterDraining() {
        let letter = [UInt8](repeating: 1, count: 112)
        var count = 0
        while outbox.post(letter) { count += 1 }
        // 112 bytes and their header are an eighth of the lane.
        #expect(count == 8)
        #expect(inbox.letters().count == 8)
        #expect(outbox.post(letter))
    }

    /// Wherever in the ring it begins, half the lane always fits into an empty one.
    @Test func takesHalfTheLaneAtAnyPosition() {
        let half = [UInt8](repeating: 9, count: 512 - 16)
        for _ in 0..<70 {
            #expect(outbox.post([1]))
            #expect(inbox.letters().count == 1)
            #expect(outbox.post(half))
            #expect(inbox.letters().map(\.bytes) == [half])
        }
    }

    @Test func refusesMoreThanHalfTheLane() {
        #expect(!outbox.post([UInt8](repeating: 9, count: 512 - 15)))
        #expect(outbox.post([2]))
        #expect(inbox.letters().map(\.bytes) == [[2]])
    }

    @Test func pairsAreApart() {
        #expect(grid.outbox(from: 2, to: 0).post([1]))
        #expect(grid.outbox(from: 1, to: 2).post([2]))
        #expect(grid.outbox(from: 0, to: 1).post([3]))
        #expect(inbox.letters() == [])
        #expect(grid.inbox(from: 2, to: 0).letters().map(\.bytes) == [[1]])
        #expect(grid.inbox(from: 1, to: 2).letters().map(\.bytes) == [[2]])
        #expect(grid.inbox(from: 0, to: 1).letters().map(\.bytes) == [[3]])
    }

    @Test(arguments: Seeds.all)
    func agreesWithModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var expected: [Mailbox.Inbox.Letter] = []
        for number: UInt64 in 0..<2_000 {
            let byte = UInt8.random(in: 0...255, using: &random)
            let bytes = [UInt8](repeating: byte, count: Int.random(in: 0..<200, using: &random))
            if outbox.post(bytes, to: number) { expected.append(.init(destination: number, bytes: bytes)) }
            if Int.random(in: 0..<4, using: &random) == 0 {
                #expect(inbox.letters() == expected)
                expected = []
            }
        }
    }
}

@Suite struct ControlLaneTests {
    private let grid: MailboxGrid
    private let outbox: Mailbox.Outbox
    private let inbox: Mailbox.Inbox

    init() throws {
        grid = try MailboxGrid(shardCount: 2, sizes: smallSizes())
        outbox = grid.outbox(from: 0, to: 1)
        inbox = grid.inbox(from: 0, to: 1)
    }

    private func firsts() -> [UInt64] { inbox.controls().map(\.first) }

    @Test func carriesEveryField() {
        let messages = [
            ControlMessage(kind: 200, descriptor: Descriptor(17), first: .max, second: 1 << 40, third: 3),
            ControlMessage(kind: 201, coalesces: true, first: 1),
        ]
        for message in messages { #expect(outbox.post(message)) }
        #expect(inbox.controls() == messages)
    }

    @Test func whatFindsTheLaneFullWaitsInOrder() {
        for number: UInt64 in 0..<10 { #expect(outbox.post(number)) }
        #expect(outbox.hasPending)
        #expect(firsts() == [0, 1, 2, 3])
        // There is room again, but those that wait go first.
        #expect(outbox.post(10))
        outbox.flushPending()
        #expect(firsts() == [4, 5, 6, 7])
        outbox.flushPending()
        #expect(!outbox.hasPending)
        #expect(firsts() == [8, 9, 10])
    }

    @Test func aFullListLeavesTheMessageWithTheCaller() {
        for number: UInt64 in 0..<12 { #expect(outbox.post(number)) }
        #expect(!outbox.post(12))
        var received: [UInt64] = []
        while outbox.hasPending {
            received += firsts()
            outbox.flushPending()
        }
        #expect(received + firsts() == Array(0..<12))
    }

    @Test func laterNewsReplacesEarlierThatWaits() {
        for number: UInt64 in 0..<4 { #expect(outbox.post(number)) }
        #expect(outbox.post(kind: 2, 77, coalesces: true, second: 1))
        #expect(outbox.post(kind: 3, 77, coalesces: true, second: 1))
        #expect(outbox.post(kind: 2, 78, coalesces: true, second: 1))
        #expect(outbox.post(kind: 2, 77, coalesces: false, second: 2))
        #expect(outbox.post(kind: 2, 77, coalesces: true, second: 3))
        #expect(firsts() == [0, 1, 2, 3])
        outbox.flushPending()
        let expected = [
            ControlMessage(kind: 2, coalesces: true, first: 77, second: 3),
            ControlMessage(kind: 3, coalesces: true, first: 77, second: 1),
            ControlMessage(kind: 2, coalesces: true, first: 78, second: 1),
            ControlMessage(kind: 2, coalesces: false, first: 77, second: 2),
        ]
        #expect(inbox.controls() == expected)
    }

    @Test func newsReplacesEvenWhenTheListIsFull() {
        for number: UInt64 in 0..<12 { #expect(outbox.post(number, coalesces: true)) }
        #expect(outbox.post(11, coalesces: true, second: 5))
        #expect(!outbox.post(12, coalesces: true))
    }
}

@Suite struct MailboxSleepTests {
    private let grid: MailboxGrid

    init() throws { grid = try MailboxGrid(shardCount: 2, sizes: smallSizes()) }

    @Test func onlyASleeperNeedsADoorbell() {
        #expect(!grid.needsDoorbell(1))
        #expect(grid.prepareSleep(1))
        #expect(grid.needsDoorbell(1))
        // One doorbell is enough.
        #expect(!grid.needsDoorbell(1))
        grid.wakeUp(1)
        #expect(!grid.needsDoorbell(1))
    }

    @Test func nobodySleepsOverMail() {
        #expect(grid.outbox(from: 0, to: 1).post([1]))
        #expect(!grid.prepareSleep(1))
        #expect(!grid.needsDoorbell(1))
        #expect(grid.prepareSleep(0))
        #expect(grid.inbox(from: 0, to: 1).letters().count == 1)
        #expect(grid.outbox(from: 0, to: 1).post(1))
        #expect(!grid.prepareSleep(1))
        #expect(grid.inbox(from: 0, to: 1).controls().count == 1)
        #expect(grid.prepareSleep(1))
    }
}

/// Two threads at once, as fast as they can, with sleep and doorbells.
@Suite(.serialized) struct MailboxThreadTests {
    private let grid: MailboxGrid
    private let doorbell = DispatchSemaphore(value: 0)

    init() throws { grid = try MailboxGrid(shardCount: 2, sizes: smallSizes()) }

    /// Shard 1's wait. False when nobody rang for half a minute.
    private func sleepUnlessThereIsMail() -> Bool {
        guard grid.prepareSleep(1) else { return true }
        defer { grid.wakeUp(1) }
        return doorbell.wait(timeout: .now() + 30) == .success
    }

    /// `count` letters and as many control messages, numbered; where a lane is full it tries again.
    private static func send(_ count: UInt64, through grid: MailboxGrid, ringing doorbell: DispatchSemaphore) {
        let outbox = grid.outbox(from: 0, to: 1)
        var (letter, control): (UInt64, UInt64) = (0, 0)
        while letter < count || control < count || outbox.hasPending {
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: letter), count: Int(letter % 100))
            if letter < count, outbox.post(bytes, to: letter) { letter += 1 }
            if control < count, outbox.post(control) { control += 1 }
            outbox.flushPending()
            if grid.needsDoorbell(1) { doorbell.signal() }
        }
    }

    @Test func losesNothingAndKeepsOrder() throws {
        let count: UInt64 = 50_000
        let sender = try LoopThread.start(name: "sender") { [grid, doorbell] in
            Self.send(count, through: grid, ringing: doorbell)
        }
        let inbox = grid.inbox(from: 0, to: 1)
        var (letter, control): (UInt64, UInt64) = (0, 0)
        var isIntact = true
        while letter < count || control < count {
            try #require(sleepUnlessThereIsMail(), "a doorbell was lost")
            inbox.drain { _, destination, bytes in
                let isRight = bytes.withUnsafeBytes { $0.allSatisfy { $0 == UInt8(truncatingIfNeeded: letter) } }
                isIntact = isIntact && isRight && destination == letter && bytes.byteCount == Int(letter % 100)
                letter += 1
            }
            inbox.drainControl { message in
                isIntact = isIntact && message.first == control
                control += 1
            }
        }
        sender.join()
        #expect(isIntact)
        #expect(letter == count)
        #expect(control == count)
    }

    /// One message at a time, each sent in the very moment in which the receiver falls asleep: nobody would ring again
    /// for one whose doorbell was lost.
    @Test func everySingleMessageWakesASleeper() throws {
        let count: UInt64 = 100_000
        let received = Received()
        let sender = try LoopThread.start(name: "sender") { [grid, doorbell] in
            let outbox = grid.outbox(from: 0, to: 1)
            for number in 0..<count {
                while received.count.load(ordering: .acquiring) < number {}
                precondition(outbox.post(number))
                if grid.needsDoorbell(1) { doorbell.signal() }
            }
        }
        let inbox = grid.inbox(from: 0, to: 1)
        while received.count.load(ordering: .relaxed) < count {
            try #require(sleepUnlessThereIsMail(), "a doorbell was lost")
            inbox.drainControl { _ in received.count.add(1, ordering: .acquiringAndReleasing) }
        }
        sender.join()
    }

    private final class Received: Sendable {
        let count = Atomic<UInt64>(0)
    }
}
