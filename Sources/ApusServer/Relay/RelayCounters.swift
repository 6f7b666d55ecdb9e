// What a shard counts of its relay. Only its own thread writes; anyone reads.

import ApusWire

package final class RelayCounters: Sendable {
    /// Transport messages that peers of this shard sent, and their bytes, transport header included.
    package let messagesReceived = Counter()
    package let bytesReceived = Counter()
    /// The same of what was put behind connections of this shard.
    package let messagesDelivered = Counter()
    package let bytesDelivered = Counter()
    /// Messages that went to another shard.
    package let messagesPosted = Counter()
    /// Messages without effect (relay.md §1.3.8).
    package let messagesIgnored = Counter()
    package let logins = Counter()
    package let departures = Counter()
    /// Peers of this shard that another connection took over, and ids that were taken over often.
    package let replacements = Counter()
    package let flappings = Counter()
    package let subscriptions = Counter()
    /// Beyond what a peer, or a shard, may be interested in.
    package let subscriptionsRefused = Counter()
    /// Ids in PeersOnline and PeersWentOffline.
    package let newsTold = Counter()
    /// What another shard did not hear, because it had not turned for long.
    package let noticesLost = Counter()
    /// From accept to AuthResponse.
    package let authenticationTimes = MillisecondHistogram()
    /// From there until this shard knew that others find the peer.
    package let placingTimes = MillisecondHistogram()
    /// Peers that began to send, and those that have not sent for a while or left.
    private let activations = Counter()
    private let rests = Counter()
    private let tokenRefusals = ReasonCounters(count: RelayTokenRefusal.allCases.count)
    private let authViolations = ReasonCounters(count: RelayAuthViolation.labels.count)
    private let timeouts = Counter()

    init() {}

    @inline(__always)
    func received(_ byteCount: Int) {
        messagesReceived.add()
        bytesReceived.add(UInt64(byteCount))
    }

    @inline(__always)
    func delivered(_ byteCount: Int) {
        messagesDelivered.add()
        bytesDelivered.add(UInt64(byteCount))
    }

    func countActive() { activations.add() }
    func countResting() { rests.add() }

    func count(_ violation: RelayAuthViolation) { authViolations.add(violation.index) }

    func count(_ refusal: RelayRefusal) {
        switch refusal {
        case .message(let violation): count(violation)
        case .token(let refusal): tokenRefusals.add(refusal.index)
        case .timeout: timeouts.add()
        }
    }

    /// Logins that were refused, by label; reasons that never occurred are absent.
    package var refused: [String: UInt64] {
        let tokens = RelayTokenRefusal.allCases.map { ($0.label, tokenRefusals[$0.index]) }
        let messages = RelayAuthViolation.labels.enumerated().map { ("auth_" + $1, authViolations[$0]) }
        let late = [(RelayRefusal.timeout.label, timeouts.count)]
        return Dictionary(uniqueKeysWithValues: tokens + messages + late).filter { $0.value > 0 }
    }

    /// Every reason there is.
    static let refusalLabels =
        RelayTokenRefusal.allCases.map(\.label) + RelayAuthViolation.labels.map { "auth_" + $0 }
        + [RelayRefusal.timeout.label]

    /// Peers that send at present.
    package var activeCount: UInt64 {
        // As below.
        let resting = rests.count
        let active = activations.count
        return active - min(resting, active)
    }

    /// Peers at present.
    package var peerCount: UInt64 {
        // One after the other: what leaves between the two is counted once more than it came.
        let gone = departures.count
        let came = logins.count
        return came - min(gone, came)
    }
}

extension RelayTokenRefusal {
    fileprivate var index: Int {
        switch self {
        case .empty: 0
        case .unsupportedAlgorithm: 1
        case .tooShort: 2
        case .badSignature: 3
        case .malformedExpiry: 4
        case .expired: 5
        case .lifetimeTooLong: 6
        }
    }
}

extension RelayAuthViolation {
    fileprivate static let labels = [
        "empty", "too_short", "bad_version", "bad_type", "truncated", "bad_magic", "oversize",
    ]

    fileprivate var index: Int {
        switch self {
        case .empty: 0
        case .tooShort: 1
        case .version: 2
        case .type: 3
        case .truncated: 4
        case .magic: 5
        case .oversize: 6
        }
    }
}
