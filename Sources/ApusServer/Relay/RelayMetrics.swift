// What the relay counted in all shards, added up at one moment.

/// Part of `ServerMetrics`; all zero where no listener speaks `relay`.
public struct RelayMetrics: Equatable, Sendable {
    /// Peers that are logged in.
    public private(set) var peers: UInt64 = 0
    /// Those of them that have sent messages within 30 s, as far as it was noticed: each is looked at when it is asked
    /// whether it is there.
    public private(set) var peersActive: UInt64 = 0
    public private(set) var logins: UInt64 = 0
    /// Logins that were refused, by reason; reasons that never occurred are absent.
    public private(set) var loginsRefused: [String: UInt64] = [:]
    /// Peers whose id another connection took over, and ids that were taken over often in a short time.
    public private(set) var replacements: UInt64 = 0
    public private(set) var flappings: UInt64 = 0
    /// Transport messages that peers sent, and their bytes with the transport header.
    public private(set) var messagesReceived: UInt64 = 0
    public private(set) var bytesReceived: UInt64 = 0
    /// The same of what was put behind peers' connections. What is missing was dropped, or is on its way:
    /// `ServerMetrics.dropped` says why.
    public private(set) var messagesDelivered: UInt64 = 0
    public private(set) var bytesDelivered: UInt64 = 0
    /// Messages that went from one shard to another.
    public private(set) var messagesPosted: UInt64 = 0
    /// Messages without effect: out of place, too short, lists of half an id.
    public private(set) var messagesIgnored: UInt64 = 0
    /// Ids that peers subscribed to, and those beyond a limit.
    public private(set) var subscriptions: UInt64 = 0
    public private(set) var subscriptionsRefused: UInt64 = 0
    /// Ids that peers were told of, online or offline.
    public private(set) var newsTold: UInt64 = 0
    /// What a shard did not hear about peers, because it had not turned for long.
    public private(set) var noticesLost: UInt64 = 0

    /// From accept to AuthResponse.
    public private(set) var authenticationTimes = HistogramSnapshot.emptyMilliseconds
    /// From there until others find the peer, by the turns of the peer's loop.
    public private(set) var placingTimes = HistogramSnapshot.emptyMilliseconds

    mutating func add(_ counters: RelayCounters) {
        let there = counters.peerCount
        peers += there
        // The two are read one after the other.
        peersActive += min(counters.activeCount, there)
        authenticationTimes = authenticationTimes + counters.authenticationTimes.snapshot
        placingTimes = placingTimes + counters.placingTimes.snapshot
        logins += counters.logins.count
        loginsRefused.merge(counters.refused, uniquingKeysWith: +)
        replacements += counters.replacements.count
        flappings += counters.flappings.count
        messagesReceived += counters.messagesReceived.count
        bytesReceived += counters.bytesReceived.count
        messagesDelivered += counters.messagesDelivered.count
        bytesDelivered += counters.bytesDelivered.count
        messagesPosted += counters.messagesPosted.count
        messagesIgnored += counters.messagesIgnored.count
        subscriptions += counters.subscriptions.count
        subscriptionsRefused += counters.subscriptionsRefused.count
        newsTold += counters.newsTold.count
        noticesLost += counters.noticesLost.count
    }
}
