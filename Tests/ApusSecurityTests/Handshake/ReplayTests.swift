// Repeated handshakes, and the table that knows them.

import ApusSecurity
import Synchronization
import TestSupport
import Testing

struct ReplayTests {
    private func refusal(
        _ initiation: [UInt8], from peer: UInt64 = 1, at moment: HandshakeMoment = HandshakeRig.now,
        _ replay: ReplayTable
    ) -> HandshakeRefusal? {
        var server = ServerHandshake(.plainV1)
        do throws(HandshakeRefusal) {
            _ = try server.reply(to: initiation, from: peer, at: moment, replay: replay)
            return nil
        } catch {
            return error
        }
    }

    /// Init and, when it is answered, Confirm: what a client sends.
    private func complete(_ replay: ReplayTable) throws -> [UInt8] {
        var client = ClientHandshake(.plainV1)
        var server = ServerHandshake(.plainV1)
        let initiation = client.start(wallMilliseconds: HandshakeRig.wall)
        let response = try server.reply(to: initiation, replay: replay)
        let confirm = try client.receive(response.span.bytes).confirm
        _ = try server.establish(confirm, replay: replay)
        return initiation
    }

    @Test func repeatedInitIsRefused() throws {
        let replay = ReplayTable(handshakesPerSecond: 10)
        let initiation = try complete(replay)
        #expect(refusal(initiation, replay) == .replayed)
        #expect(refusal(initiation, from: 2, replay) == .replayed, "from another address")
        var later = initiation
        later[36] ^= 1
        #expect(refusal(later, replay) == .replayed, "with another timestamp")
        var otherKey = initiation
        otherKey[4] ^= 1
        #expect(refusal(otherKey, replay) == .replayed, "with another key")
        var otherNonce = initiation
        otherNonce[44] ^= 1
        #expect(refusal(otherNonce, replay) == nil, "another nonce")
    }

    @Test func anInitThatWasNotConfirmedMayComeAgain() throws {
        let replay = ReplayTable(handshakesPerSecond: 10)
        var client = ClientHandshake(.plainV1)
        let initiation = client.start(wallMilliseconds: HandshakeRig.wall)
        for _ in 0..<3 { #expect(refusal(initiation, replay) == nil) }
    }

    /// Both were answered before either was confirmed: the second Confirm is refused.
    @Test func theSecondConfirmIsRefused() throws {
        let replay = ReplayTable(handshakesPerSecond: 10)
        var client = ClientHandshake(.plainV1)
        let initiation = client.start(wallMilliseconds: HandshakeRig.wall)
        var first = ServerHandshake(.plainV1)
        var second = ServerHandshake(.plainV1)
        let firstResponse = try first.reply(to: initiation, replay: replay)
        let secondResponse = try second.reply(to: initiation, replay: replay)
        let confirm = try client.receive(firstResponse.span.bytes).confirm
        // Anybody can hash the server's nonce: the replayer confirms, too.
        let forged = [4, 0, 0, 0] + SHA256.hash(Array(secondResponse[36..<52]).span.bytes)
        _ = try first.establish(confirm, replay: replay)
        #expect(throws: HandshakeRefusal.replayed) { _ = try second.establish(forged, from: 2, replay: replay) }
    }

    /// By the time the table forgets, the timestamp is stale.
    @Test func theTableOutlivesTheTimestamp() throws {
        let replay = ReplayTable(handshakesPerSecond: 10)
        let initiation = try complete(replay)
        let start = HandshakeRig.now
        for seconds in 0...40 as ClosedRange<UInt64> {
            let moment = HandshakeMoment(
                wallMilliseconds: start.wallMilliseconds + seconds * 1000,
                monotonicNanoseconds: start.monotonicNanoseconds + seconds * 1_000_000_000)
            let expected: HandshakeRefusal = seconds <= 30 ? .replayed : .staleTimestamp
            #expect(refusal(initiation, at: moment, replay) == expected, "after \(seconds) s")
        }
        // As early as the window allows, which is when it stays acceptable longest.
        let early = HandshakeMoment(
            wallMilliseconds: start.wallMilliseconds + 30_000,
            monotonicNanoseconds: start.monotonicNanoseconds + 32_000_000_000)
        #expect(refusal(initiation, at: early, replay) == .replayed)
    }

    @Test func aFullTableRefusesTheHandshake() throws {
        let replay = ReplayTable(handshakesPerSecond: 1, addressShare: 10_000)
        var number: UInt64 = 0
        while replay.insert(nonce(number), from: number, at: HandshakeRig.now.monotonicNanoseconds) == .fresh {
            number += 1
        }
        var refused = false
        for _ in 0..<1000 where !refused {
            do {
                _ = try complete(replay)
            } catch HandshakeRefusal.replayTableFull {
                refused = true
            }
        }
        #expect(refused)
    }

    @Test func anAddressThatHadItsShareIsRefused() throws {
        let replay = ReplayTable(handshakesPerSecond: 10, addressShare: 3)
        for _ in 0..<3 { _ = try complete(replay) }
        #expect(throws: HandshakeRefusal.addressShare) { try complete(replay) }
    }
}

private func nonce(_ number: UInt64) -> [UInt8] {
    (0..<16).map { UInt8(truncatingIfNeeded: number >> (8 * UInt64($0 % 8))) }
}

struct ReplayTableTests {
    private let second: UInt64 = 1_000_000_000

    @Test func noncesAreRefusedUntilTheyExpire() {
        let table = ReplayTable(handshakesPerSecond: 10)
        // At the end of a second, where an entry lives shortest.
        let start = 100 * second - 1
        #expect(!table.contains(nonce(1), at: start))
        #expect(table.insert(nonce(1), from: 1, at: start) == .fresh)
        for age in 0...33 as ClosedRange<UInt64> {
            #expect(table.contains(nonce(1), at: start + age * second), "after \(age) s")
            #expect(table.insert(nonce(1), from: 2, at: start + age * second) == .replayed)
        }
        #expect(!table.contains(nonce(1), at: start + 34 * second))
        #expect(table.insert(nonce(1), from: 1, at: start + 34 * second) == .fresh)
    }

    /// Shards read their clocks at different times.
    @Test func clocksMayDiffer() {
        let table = ReplayTable(handshakesPerSecond: 10)
        #expect(table.insert(nonce(1), from: 1, at: 100 * second) == .fresh)
        #expect(table.insert(nonce(1), from: 1, at: 98 * second) == .replayed)
        #expect(table.contains(nonce(1), at: 99 * second))
    }

    /// So that it cannot fill below the limit: at the rate it was made for, for as long as it takes, everyone is
    /// admitted.
    @Test(arguments: [1, 7, 100]) func theRateItWasMadeForFits(rate: Int) {
        let table = ReplayTable(handshakesPerSecond: rate)
        #expect(table.capacity == rate * 34)
        var number: UInt64 = 0
        for tick in 0..<200 as Range<UInt64> {
            for _ in 0..<rate {
                number += 1
                let answer = table.insert(nonce(number), from: number, at: (1000 + tick) * second)
                #expect(answer == .fresh, "second \(tick)")
            }
        }
    }

    @Test func capacityFitsAtOnce() {
        for _ in 0..<20 {
            let table = ReplayTable(handshakesPerSecond: 100)
            for number in 0..<UInt64(table.capacity) {
                #expect(table.insert(nonce(number), from: number, at: second) == .fresh)
            }
        }
    }

    /// More than twice the capacity does not: there is no growth.
    @Test func moreThanTheTableIsRefused() {
        let table = ReplayTable(handshakesPerSecond: 10)
        let answers = (0..<UInt64(3 * table.capacity)).map { table.insert(nonce($0), from: $0, at: second) }
        let fresh = answers.filter { $0 == .fresh }.count
        #expect((table.capacity...2 * table.capacity + 16).contains(fresh))
        #expect(answers.filter { $0 == .full }.count == answers.count - fresh)
        // When they have expired there is room again.
        #expect(table.insert(nonce(1_000_000), from: 1, at: 40 * second) == .fresh)
    }

    @Test func anAddressHasItsShareAndNoMore() {
        let table = ReplayTable(handshakesPerSecond: 10, addressShare: 5)
        let start = 34 * 100 * second
        for number in 0..<5 as Range<UInt64> { #expect(table.insert(nonce(number), from: 1, at: start) == .fresh) }
        #expect(table.insert(nonce(5), from: 1, at: start) == .addressShare)
        #expect(table.insert(nonce(5), from: 2, at: start) == .fresh, "another address")
        #expect(table.insert(nonce(6), from: 1, at: start + 34 * second) == .fresh, "another period")
    }

    @Test func halfOfTheTableIsOneAddressesShare() {
        let table = ReplayTable(handshakesPerSecond: 10)
        #expect(table.addressShare == 170)
        #expect(ReplayTable(handshakesPerSecond: 1).addressShare == 17)
    }

    @Test func memoryIsWhatItSays() {
        #expect(ReplayTable(handshakesPerSecond: 2000).memoryByteCount == 136_000 * 8 + 65_536)
    }

    /// Of threads that insert the same nonces at the same time, at most one gets each; and what was inserted stays.
    @Test func threadsAgree() throws {
        let table = ReplayTable(handshakesPerSecond: 2000, addressShare: .max)
        let (threads, nonces) = (4, 5000)
        let ready = Atomic<Int>(0)
        let won = try withThreads(threads) { thread in
            ready.add(1, ordering: .relaxed)
            while ready.load(ordering: .relaxed) < threads {}
            return (0..<nonces).filter {
                table.insert(nonce(UInt64($0)), from: UInt64(thread), at: 1_000_000_000) == .fresh
            }
        }
        var winners = [Int](repeating: 0, count: nonces)
        for number in won.joined() { winners[number] += 1 }
        #expect(winners.allSatisfy { $0 <= 1 }, "nobody shares a nonce")
        // Both may be refused when they meet in the same instant; that is rare.
        #expect(winners.filter { $0 == 1 }.count > nonces / 2)
        for (number, count) in winners.enumerated() where count == 1 {
            #expect(table.contains(nonce(UInt64(number)), at: 1_000_000_000))
        }
    }

    /// Different nonces from several threads all find room.
    @Test func threadsDoNotDisturbEachOther() throws {
        let table = ReplayTable(handshakesPerSecond: 2000, addressShare: .max)
        let fresh = try withThreads(4) { thread in
            (0..<5000).filter {
                table.insert(nonce(UInt64(thread * 5000 + $0)), from: UInt64(thread), at: 1_000_000_000) == .fresh
            }
        }
        #expect(fresh.allSatisfy { $0.count == 5000 })
    }

    private func withThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> [Int]) throws -> [[Int]] {
        let running = (0..<count).map { thread in Background { body(thread) } }
        return try running.map { try $0.value() }
    }
}
