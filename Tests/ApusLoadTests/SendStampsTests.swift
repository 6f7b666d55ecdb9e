import ApusReactor
import Testing

@testable import ApusLoad

@Suite struct SendStampsTests {
    private func stamp(_ time: UInt64, _ count: Int) -> Stamp {
        Stamp(sentAt: Instant(nanoseconds: time), count: count)
    }

    @Test func `requests come back oldest first, in the batches they were sent in`() {
        var stamps = SendStamps(connections: 2, outstandingMax: 8)
        stamps.add(stamp(10, 3), to: 1)
        stamps.add(stamp(20, 5), to: 1)
        #expect(stamps.take(2, from: 1) == stamp(10, 2))
        #expect(stamps.take(4, from: 1) == stamp(10, 1))
        #expect(stamps.take(3, from: 1) == stamp(20, 3))
        #expect(stamps.take(3, from: 1) == stamp(20, 2))
        #expect(stamps.take(1, from: 1) == nil)
        #expect(stamps.take(1, from: 0) == nil)
    }

    @Test func `a ring holds one stamp for each request, for ever`() {
        var stamps = SendStamps(connections: 3, outstandingMax: 5)
        for round in 0..<UInt64(1000) {
            for _ in 0..<5 { stamps.add(stamp(round, 1), to: 2) }
            for _ in 0..<5 { #expect(stamps.take(9, from: 2) == stamp(round, 1)) }
        }
        #expect(stamps.take(1, from: 2) == nil)
    }

    @Test func `without requests to keep it keeps none`() {
        var stamps = SendStamps(connections: 1, outstandingMax: 0)
        for time in 0..<UInt64(100) { stamps.add(stamp(time, 1), to: 0) }
        #expect(stamps.take(1, from: 0) == nil)
    }
}
