// Whether there is a watchdog, and what is said at each beat.

import Testing

@testable import apus

@Suite struct WatchdogTests {
    private func interval(_ microseconds: String?, owner: String? = nil) -> Duration? {
        var environment: [String: String] = [:]
        environment["WATCHDOG_USEC"] = microseconds
        environment["WATCHDOG_PID"] = owner
        return Watchdog(environment: environment, processID: 7)?.interval
    }

    @Test func theEnvironmentSaysWhetherThereIsOne() {
        #expect(interval("2000000") == .seconds(2))
        #expect(interval("2000000", owner: "7") == .seconds(2))
        #expect(interval("2000000", owner: "8") == nil)
        #expect(interval("2000000", owner: "x") == nil)
        for none in [nil, "", "0", "-1", "x"] { #expect(interval(none) == nil) }
    }

    @Test func itBeatsTwiceInAnInterval() {
        let watchdog = Watchdog(environment: ["WATCHDOG_USEC": "3000000"], processID: 1)
        #expect(Beat(watchdog: watchdog).interval == .milliseconds(1500))
        #expect(Beat(watchdog: nil).interval == Beat.statusInterval)
        let slow = Watchdog(environment: ["WATCHDOG_USEC": "60000000"], processID: 1)
        #expect(Beat(watchdog: slow).interval == Beat.statusInterval)
    }

    /// A thread that sleeps and wakes says nothing about loops: only they count.
    @Test func itIsFedOnlyWhileEveryLoopTicks() {
        var beat = Beat(watchdog: Watchdog(environment: ["WATCHDOG_USEC": "2000000"], processID: 1))
        var fed: [Bool] = []
        for (second, isLive) in [true, true, false, false, true].enumerated() {
            let states = beat.next(isLive: isLive, phase: .serving, totals: ServerTotals(), seconds: Double(second))
            fed.append(states.contains(.watchdog))
        }
        #expect(fed == [true, true, false, false, true])
    }

    @Test func withoutOneNothingIsFed() {
        var beat = Beat(watchdog: nil)
        let states = beat.next(isLive: true, phase: .serving, totals: ServerTotals(), seconds: 0)
        #expect(states == [.status("serving: 0 connections")])
    }

    @Test func theStatusLineCountsAndIsSentWhenItChanges() {
        var beat = Beat(watchdog: nil)
        var totals = ServerTotals(openConnections: 1, messages: 100)
        func next(_ phase: LifecyclePhase, at seconds: Double) -> [NotifyState] {
            beat.next(isLive: true, phase: phase, totals: totals, seconds: seconds)
        }
        #expect(next(.serving, at: 10) == [.status("serving: 1 connection")])
        totals = ServerTotals(openConnections: 2, messages: 600)
        #expect(next(.serving, at: 15) == [.status("serving: 2 connections, 100 messages/s")])
        totals.messages = 1100
        #expect(next(.serving, at: 20) == [])
        beat.remark = "reload refused: why"
        totals.messages = 1600
        #expect(next(.serving, at: 25) == [.status("serving: 2 connections, 100 messages/s; reload refused: why")])
        beat.remark = ""
        #expect(next(.draining, at: 26) == [.status("draining: 2 connections left")])
    }
}
