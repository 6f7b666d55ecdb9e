import ApusReactor
import Testing

@testable import ApusLoad

@Suite struct OpenScheduleTests {
    private let start = Instant(nanoseconds: 5_000)

    @Test func `the k-th message is intended at start + k / rate`() {
        let schedule = OpenSchedule(start: start, rate: 1000, connections: 4)
        #expect(schedule.intended(0) == start)
        #expect(schedule.intended(1) == start + .millisecond)
        #expect(schedule.intended(2500) == start + 2500 * .millisecond)
        // Connection 3's messages are the 3rd, 7th, 11th …
        #expect(schedule.intended(0, on: 3) == start + 3 * .millisecond)
        #expect(schedule.intended(2, on: 3) == start + 11 * .millisecond)
    }

    @Test(arguments: [0.5, 3, 7.7, 999, 1_000_000, 3_333_333.3, 100_000_000])
    func `counting what is due agrees with when it is intended`(rate: Double) {
        let schedule = OpenSchedule(start: start, rate: rate, connections: 3)
        for message in [0, 1, 2, 3, 10, 99, 12_345, 1_000_000] {
            let intended = schedule.intended(message)
            // Above a message per nanosecond's resolution several share an instant, so the first of them is found.
            let first = schedule.firstMessage(from: intended)
            #expect(first <= message && schedule.intended(first) == intended)
            #expect(schedule.firstMessage(from: intended + 1) == message + 1)
        }
        #expect(schedule.firstMessage(from: Instant(nanoseconds: 0)) == 0)
    }

    @Test func `what is due is taken once, whatever was answered`() {
        var schedule = OpenSchedule(start: start, rate: 1000, connections: 4)
        #expect(schedule.dueCount(before: start) == 0)
        #expect(schedule.dueCount(before: start + 1) == 1)
        #expect(schedule.dueCount(before: start + 10 * .millisecond) == 10)
        schedule.take(10)
        #expect(schedule.dueCount(before: start + 10 * .millisecond) == 0)
        #expect(schedule.next == start + 10 * .millisecond)
        schedule.noteBacklog()
        schedule.answer(7)
        schedule.noteBacklog()
        #expect(schedule.backlog == 3)
        #expect(schedule.backlogMax == 10)
    }

    @Test func `the messages of all connections add up to those that were due`() {
        for count in 0..<30 {
            var schedule = OpenSchedule(start: start, rate: 1000, connections: 7)
            schedule.take(count)
            let each = (0..<7).map { schedule.due(on: $0) }
            #expect(each.reduce(0, +) == count)
            #expect(each == (0..<7).map { connection in (0..<count).count { $0 % 7 == connection } })
        }
    }
}
