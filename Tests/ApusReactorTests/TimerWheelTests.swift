import ApusReactor
import TestSupport
import Testing

@Suite struct TimerWheelTests {
    /// Not a whole number of ticks.
    private static let start = Instant(nanoseconds: 1_234_567_890_123)

    private static func wheel(_ capacity: Int = 8) throws -> TimerWheel {
        try TimerWheel(capacity: capacity, at: start)
    }

    private static func popAll(_ wheel: inout TimerWheel, at now: Instant) -> [UInt32] {
        var popped: [UInt32] = []
        while let id = wheel.popExpired(at: now) { popped.append(id) }
        return popped
    }

    @Test func emptyWheelHasNoDeadline() throws {
        var wheel = try Self.wheel()
        let earliest = wheel.earliest
        let popped = Self.popAll(&wheel, at: Self.start + .second)
        #expect(earliest == .never)
        #expect(popped == [])
    }

    @Test(arguments: [1, 999_999, 1_000_000, 64_000_000, 4_096_000_000, 262_144_000_001, 86_400_000_000_000])
    func expiresNeverEarlyAndLessThanATickLate(_ delay: Nanoseconds) throws {
        var wheel = try Self.wheel()
        let deadline = Self.start + delay
        wheel.schedule(3, at: deadline)
        let early = Self.popAll(&wheel, at: Instant(nanoseconds: deadline.nanoseconds - 1))
        let late = Self.popAll(&wheel, at: deadline + .millisecond)
        #expect(early == [])
        #expect(late == [3])
        #expect(Self.popAll(&wheel, at: .never) == [])
    }

    @Test func waitingForTheEarliestReachesTheDeadline() throws {
        var wheel = try Self.wheel()
        let deadline = Self.start + 100 * .second
        wheel.schedule(0, at: deadline)
        var waits = 0
        var popped: UInt32?
        while popped == nil, waits < 10 {
            let earliest = wheel.earliest
            #expect(earliest < deadline + .millisecond)
            popped = wheel.popExpired(at: earliest)
            waits += 1
        }
        #expect(popped == 0)
        // 100 s span three levels and may cross into the next slot of a fourth: one wait for each.
        #expect(waits <= 4)
    }

    @Test func schedulingAgainReplaces() throws {
        var wheel = try Self.wheel()
        wheel.schedule(1, at: Self.start + .second)
        wheel.schedule(1, at: Self.start + 3 * .second)
        #expect(wheel.deadline(of: 1) == Self.start + 3 * .second)
        let atTwo = Self.popAll(&wheel, at: Self.start + 2 * .second)
        let atFour = Self.popAll(&wheel, at: Self.start + 4 * .second)
        #expect(atTwo == [])
        #expect(atFour == [1])
        #expect(wheel.deadline(of: 1) == .never)
    }

    @Test func cancellingForgets() throws {
        var wheel = try Self.wheel()
        wheel.schedule(1, at: Self.start + .second)
        wheel.schedule(2, at: Self.start + .second)
        wheel.cancel(1)
        wheel.cancel(1)
        wheel.schedule(2, at: .never)
        #expect(wheel.earliest == .never)
        #expect(wheel.deadline(of: 1) == .never)
        #expect(Self.popAll(&wheel, at: Self.start + 2 * .second) == [])
    }

    @Test func cancellingLeavesNeighboursInTheSameSlot() throws {
        var wheel = try Self.wheel()
        for id: UInt32 in 0..<5 { wheel.schedule(id, at: Self.start + .second) }
        for id: UInt32 in [4, 2, 0] { wheel.cancel(id) }
        #expect(Self.popAll(&wheel, at: Self.start + 2 * .second).sorted() == [1, 3])
    }

    @Test func overdueExpiresAtOnce() throws {
        var wheel = try Self.wheel()
        wheel.schedule(5, at: Instant(nanoseconds: 0))
        #expect(wheel.earliest <= Self.start)
        #expect(Self.popAll(&wheel, at: Self.start) == [5])
    }

    @Test func farDeadlinesKeepTheirPlace() throws {
        var wheel = try Self.wheel()
        let century = Self.start + 100 * 365 * 86_400 * .second
        wheel.schedule(0, at: Instant(nanoseconds: UInt64.max - 1))
        wheel.schedule(1, at: century)
        let before = Self.popAll(&wheel, at: Instant(nanoseconds: century.nanoseconds - 1))
        let after = Self.popAll(&wheel, at: century + .millisecond)
        #expect(before == [])
        #expect(after == [1])
        #expect(wheel.deadline(of: 0) == Instant(nanoseconds: UInt64.max - 1))
        #expect(Self.popAll(&wheel, at: .never) == [0])
    }

    @Test func timeThatStandsStillExpiresWhatIsScheduledMeanwhile() throws {
        var wheel = try Self.wheel()
        let now = Self.start + .second
        #expect(Self.popAll(&wheel, at: now) == [])
        wheel.schedule(1, at: now)
        #expect(Self.popAll(&wheel, at: now + .millisecond) == [1])
    }

    /// Against the plainest model there is: a dictionary of deadlines.
    @Test(arguments: Seeds.all)
    func agreesWithModel(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let capacity: UInt32 = 64
        var wheel = try Self.wheel(Int(capacity))
        var model: [UInt32: Instant] = [:]
        var now = Self.start
        for _ in 0..<4_000 {
            let id = UInt32.random(in: 0..<capacity, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<5:
                let deadline = randomDeadline(around: now, &random)
                wheel.schedule(id, at: deadline)
                model[id] = deadline
            case 5:
                wheel.cancel(id)
                model[id] = nil
            default:
                now = now + randomDelay(&random) / 4
                expire(&wheel, &model, at: now)
            }
            #expect(wheel.deadline(of: id) == model[id] ?? .never)
            expectEarliest(wheel.earliest, for: model, now: now)
        }
    }

    /// One in eight is overdue.
    private func randomDeadline(around now: Instant, _ random: inout SeededGenerator) -> Instant {
        let delay = randomDelay(&random)
        guard Int.random(in: 0..<8, using: &random) == 0 else { return now + delay }
        return Instant(nanoseconds: now - Instant(nanoseconds: delay))
    }

    /// As many short ones as long ones: the exponent is what is uniform.
    private func randomDelay(_ random: inout SeededGenerator) -> Nanoseconds {
        Nanoseconds.random(in: 0..<(1 << UInt64.random(in: 0..<45, using: &random)), using: &random)
    }

    private func expire(_ wheel: inout TimerWheel, _ model: inout [UInt32: Instant], at now: Instant) {
        while let id = wheel.popExpired(at: now) {
            let deadline = model.removeValue(forKey: id)
            #expect(deadline != nil, "popped what was not scheduled")
            #expect(deadline ?? .never <= now, "popped early")
        }
        for (id, deadline) in model {
            #expect(deadline + .millisecond > now, "timer \(id) was left behind")
        }
    }

    private func expectEarliest(_ earliest: Instant, for model: [UInt32: Instant], now: Instant) {
        guard let first = model.values.min() else {
            #expect(earliest == .never)
            return
        }
        // What is overdue may be told as any moment up to the present tick's.
        #expect(earliest < max(first, now) + .millisecond, "would wait past the first deadline")
    }
}
