// The thread that takes events out of the lanes, makes texts of addresses and indices, and hands them to the sink.
// It looks a few times a second; no event wakes it.

import ApusReactor
import Synchronization

final class EventTeller: Sendable {
    /// How long events wait at most; longer when there were none for a while.
    private static let pauseMilliseconds: (busy: Int32, quiet: Int32) = (50, 250)

    private let events: ServerEvents
    private let alarm: Alarm
    private let isEnding = Atomic(false)
    private let thread = Mutex<ThreadHandle?>(nil)

    /// Nil when nobody listens.
    static func start(_ events: ServerEvents) throws(SystemError) -> EventTeller? {
        guard let sink = events.sink else { return nil }
        let teller = EventTeller(events, try Alarm())
        let handle = try LoopThread.start(name: "apus-events") { teller.run(Telling(events, sink)) }
        teller.thread.withLock { $0 = handle }
        return teller
    }

    private init(_ events: ServerEvents, _ alarm: Alarm) {
        self.events = events
        self.alarm = alarm
    }

    private func run(_ telling: consuming Telling) {
        var telling = telling
        var quietCount = 0
        while !isEnding.load(ordering: .acquiring) {
            quietCount = telling.tellAll() ? 0 : min(quietCount + 1, 20)
            let pause = EventTeller.pauseMilliseconds
            alarm.wait(milliseconds: quietCount < 20 ? pause.busy : pause.quiet)
        }
        telling.tellRest()
    }

    /// Tell what there is, and end; only after all shards have ended.
    func end() {
        isEnding.store(true, ordering: .releasing)
        alarm.ring()
        thread.withLock { $0.take() }?.join()
    }
}

/// What the thread keeps from one look to the next.
private struct Telling: Sendable {
    /// Addresses of open connections, known while openings are told: a socket that is closed has none any more.
    private static let peersMax = 100_000

    private let events: ServerEvents
    private let sink: any ServerEventSink
    private var peers: [ConnectionToken: String] = [:]
    private var heldBackTold = [UInt64](repeating: 0, count: ServerEvent.Name.allCases.count)
    private var lostTold: UInt64 = 0
    private var summariesDue: UInt64 = 0

    init(_ events: ServerEvents, _ sink: any ServerEventSink) {
        self.events = events
        self.sink = sink
    }

    /// False: there was nothing.
    mutating func tellAll() -> Bool {
        if events.updateSeverity() != .debug { peers = [:] }
        let found = collect()
        for event in found { tell(event) }
        let now = WallClock.microseconds()
        // Also when the clock was set back.
        if now >= summariesDue || summariesDue > now + 1_000_000 {
            summariesDue = now + 1_000_000
            tellSummaries()
        }
        return !found.isEmpty
    }

    mutating func tellRest() {
        for event in collect() { tell(event) }
        tellSummaries()
    }

    /// In the order of their time, over all shards.
    private func collect() -> [LogEvent] {
        var found = events.takeOthers()
        for lane in events.lanes { lane.drain { found.append($0) } }
        return found.sorted { $0.wallMicroseconds < $1.wallMicroseconds }
    }

    private mutating func tell(_ event: LogEvent) {
        sink.receive(
            ServerEvent(
                kind: event.kind, wallMicroseconds: event.wallMicroseconds, shard: event.shard.map(Int.init),
                listener: events.listenerName(event.listener), connection: event.connection, peer: peer(of: event)))
    }

    private mutating func peer(of event: LogEvent) -> String? {
        let known = event.peer?.description
        guard let connection = event.connection else { return known }
        switch event.kind.name {
        case .opened:
            if peers.count < Telling.peersMax { peers[connection] = known }
            return known
        case .closed:
            // What a proxy has said since is nearer to the truth.
            let opened = peers.removeValue(forKey: connection)
            return known ?? opened
        case .listening, .established, .refused, .handshakeRefused, .tlsFailed, .acceptPaused, .acceptResumed, .starved,
            .handlerFailed, .certificateReplaced, .certificateKept, .reloadApplied, .reloadRefused, .drainBegun,
            .drainForced, .ended, .heldBack, .lost, .relayRefused, .relayFlapping, .proxyRefused:
            return known ?? peers[connection]
        }
    }

    /// What was not told one by one since the last time.
    private mutating func tellSummaries() {
        for name in ServerEvent.Name.allCases {
            let count = events.heldBackCount(name)
            let index = Int(name.rawValue)
            if count > heldBackTold[index] { summarize(.heldBack(name, count: count - heldBackTold[index])) }
            heldBackTold[index] = count
        }
        let lost = events.lostCount
        if lost > lostTold { summarize(.lost(count: lost - lostTold)) }
        lostTold = lost
    }

    private mutating func summarize(_ kind: ServerEvent.Kind) {
        if events.wants(kind.severity) { tell(LogEvent(kind)) }
    }
}
