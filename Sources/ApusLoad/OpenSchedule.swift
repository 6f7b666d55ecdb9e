// When the messages of an open loop are due: the k-th at start + k / rate, on connection k mod C, whatever became of
// those before it. Latency counts from there, so a server that stalls cannot hide it by keeping the generator waiting.

import ApusReactor

struct OpenSchedule {
    private let start: Instant
    private let rate: Double
    private let nanosecondsPerMessage: Double
    private let connections: Int
    /// Messages that were due so far; the number of the next one.
    private(set) var due = 0
    private(set) var answered = 0
    /// The most that were due and not answered.
    private(set) var backlogMax = 0

    /// - Parameter rate: messages per second over all connections.
    init(start: Instant, rate: Double, connections: Int) {
        self.start = start
        self.rate = rate
        nanosecondsPerMessage = 1e9 / rate
        self.connections = connections
    }

    var backlog: Int { due - answered }

    /// When the next message is due.
    var next: Instant { intended(due) }

    /// Off by less than a microsecond in a run of a day: 53 bits of the product are exact.
    @inline(__always)
    func intended(_ message: Int) -> Instant { start + Nanoseconds(Double(message) * nanosecondsPerMessage) }

    /// - Parameter place: of the message among those of its connection.
    @inline(__always)
    func intended(_ place: Int, on connection: Int) -> Instant { intended(connection + place * connections) }

    /// How many messages have become due before `limit` and were not taken.
    @inline(__always)
    func dueCount(before limit: Instant) -> Int { next < limit ? firstMessage(from: limit) - due : 0 }

    mutating func take(_ count: Int) { due += count }

    mutating func answer(_ count: Int) { answered += count }

    mutating func noteBacklog() { backlogMax = max(backlogMax, backlog) }

    /// Messages that were due on one connection.
    func due(on connection: Int) -> Int { (due - connection + connections - 1) / connections }

    /// The number of the first message that is intended at `instant` or later.
    func firstMessage(from instant: Instant) -> Int {
        var message = Int(((instant - start).seconds * rate).rounded(.down))
        // The product may be off by a rounding in either direction.
        while message > 0, intended(message - 1) >= instant { message -= 1 }
        while intended(message) < instant { message += 1 }
        return message
    }
}
