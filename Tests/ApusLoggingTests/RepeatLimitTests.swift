// How often the same record is written, with a time that the test gives.

import Testing

@testable import ApusLogging

/// A limit that an expectation may change.
private final class Limited {
    private var limit: RepeatLimit

    init(perSecondMax: Int) { limit = RepeatLimit(perSecondMax: perSecondMax) }

    var isWatching: Bool { limit.isWatching }
    func admits(_ key: RepeatKey, at now: UInt64) -> Bool { limit.admits(key, at: now) }
    func expired(at now: UInt64) -> [RepeatLimit.Summary] { limit.expired(at: now) }
    func end() -> [RepeatLimit.Summary] { limit.end() }
}

struct RepeatLimitTests {
    private let second: UInt64 = 1_000_000_000

    private func key(_ message: String = "m", _ label: String = "l") -> RepeatKey {
        RepeatKey(label: label, level: .warning, message: message)
    }

    @Test func theFirstFewOfASecondAreWrittenAndTheRestIsSummed() {
        let limit = Limited(perSecondMax: 3)
        let admitted = (0..<10).map { limit.admits(key(), at: 5 * second + UInt64($0)) }
        #expect(admitted == [true, true, true] + [Bool](repeating: false, count: 7))
        #expect(limit.expired(at: 5 * second + second - 1) == [])
        #expect(limit.isWatching)
        #expect(limit.expired(at: 6 * second) == [RepeatLimit.Summary(key: key(), count: 7)])
        #expect(!limit.isWatching)
        #expect(limit.admits(key(), at: 6 * second))
    }

    @Test func fewAreNotSummed() {
        let limit = Limited(perSecondMax: 3)
        for _ in 0..<3 { #expect(limit.admits(key(), at: 0)) }
        #expect(limit.expired(at: second) == [])
    }

    @Test func otherRecordsAreNotHeldBack() {
        let limit = Limited(perSecondMax: 1)
        #expect(limit.admits(key("a"), at: 0))
        #expect(limit.admits(key("b"), at: 0))
        #expect(limit.admits(key("a", "other"), at: 0))
        #expect(limit.admits(RepeatKey(label: "l", level: .error, message: "a"), at: 0))
        #expect(!limit.admits(key("a"), at: 0))
    }

    /// A new window that begins before anybody asked for the old one's sum owes it.
    @Test func nothingIsForgottenWhenNobodyAsks() {
        let limit = Limited(perSecondMax: 1)
        for turn in 0..<5 {
            for _ in 0..<4 { _ = limit.admits(key(), at: UInt64(turn) * second) }
        }
        #expect(limit.expired(at: 10 * second) == [RepeatLimit.Summary(key: key(), count: 15)])
    }

    @Test func theEndSumsAtOnce() {
        let limit = Limited(perSecondMax: 1)
        for _ in 0..<4 { _ = limit.admits(key(), at: 7) }
        #expect(limit.end() == [RepeatLimit.Summary(key: key(), count: 3)])
        #expect(limit.end() == [])
    }

    @Test func detailsHaveMoreRoom() {
        let limit = Limited(perSecondMax: 2)
        let key = RepeatKey(label: "l", level: .debug, message: "m")
        #expect((0..<200).count { _ in limit.admits(key, at: 0) } == 100)
    }

    @Test func aClockThatGoesBackHoldsNothingBackForEver() {
        let limit = Limited(perSecondMax: 1)
        #expect(limit.admits(key(), at: 100 * second))
        #expect(!limit.admits(key(), at: 99 * second))
        #expect(limit.admits(key(), at: 101 * second))
    }

    @Test func memoryIsBounded() {
        let limit = Limited(perSecondMax: 1)
        for number in 0..<RepeatLimit.keyCountMax { #expect(limit.admits(key("\(number)"), at: 0)) }
        // Not remembered, so not held back either.
        #expect(limit.admits(key("more"), at: 0))
        #expect(limit.admits(key("more"), at: 0))
        #expect(!limit.admits(key("0"), at: 0))
    }
}
