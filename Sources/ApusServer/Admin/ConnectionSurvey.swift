// The connections with the most bytes and the longest queues, or the relay's peers, gathered from all shards: each
// looks at a part of its slots a turn, so that no loop stands still for it.

import ApusReactor
import ApusWire
import Synchronization

package struct SurveyedConnection: Equatable, Sendable {
    package var listener: UInt8
    /// `HOST:PORT`, or `unix:`.
    package var peer: String
    /// Who it is to a relay, `sha-…`; nil: nobody yet, or not there.
    package var relayPeer: String?
    package var ageNanoseconds: Nanoseconds
    package var bytesReceived: UInt64
    package var bytesSent: UInt64
    package var bytesQueued: UInt64

    var byteCount: UInt64 { bytesReceived + bytesSent }
}

package struct SurveyResult: Equatable, Sendable {
    package var byBytes: [SurveyedConnection] = []
    package var byQueue: [SurveyedConnection] = []
    /// In no order.
    package var relayPeers: [SurveyedConnection] = []
}

package final class ConnectionSurvey: Sendable {
    /// Slots that a shard looks at in one turn: well below a millisecond.
    static let slotsPerTurn: UInt32 = 8192
    static let countLimit = 50
    /// The same where each one that is found is described, which takes it a microsecond or two.
    static let describedSlotsPerTurn: UInt32 = 256
    /// As many as fit one answer.
    static let peerCountLimit = 10_000

    package enum Question: Sendable {
        case busiest
        case relayPeers
    }

    private struct State {
        var result = SurveyResult()
        var shardsLeft: Int
        var isOver = false
        var waiting: CheckedContinuation<SurveyResult, Never>?
    }

    let question: Question
    let countMax: Int
    private let state: Mutex<State>

    init(_ question: Question = .busiest, countMax: Int, shardCount: Int) {
        self.question = question
        self.countMax = countMax
        state = Mutex(State(shardsLeft: shardCount))
    }

    /// How many more of the relay's peers there is room for.
    var relayPeersLeft: Int { state.withLock { countMax - $0.result.relayPeers.count } }

    /// What a shard found in a part of its slots.
    func add(_ part: SurveyResult) {
        state.withLock { state in
            state.result.byBytes = top(state.result.byBytes + part.byBytes) { $0.byteCount }
            state.result.byQueue = top(state.result.byQueue + part.byQueue) { $0.bytesQueued }
            state.result.relayPeers += part.relayPeers.prefix(countMax - state.result.relayPeers.count)
        }
    }

    private func top(
        _ connections: [SurveyedConnection], by weight: (SurveyedConnection) -> UInt64
    ) -> [SurveyedConnection] {
        Array(connections.sorted { weight($0) > weight($1) }.prefix(countMax))
    }

    /// A shard has looked at all its slots, or has ended.
    func shardDone() {
        let ready = state.withLock { state in
            state.shardsLeft -= 1
            return state.shardsLeft == 0 ? ConnectionSurvey.finish(&state) : nil
        }
        ready?.continuation.resume(returning: ready?.result ?? SurveyResult())
    }

    /// Whoever has not answered yet stands still: the others' answers have to do.
    func expire() {
        let ready = state.withLock { ConnectionSurvey.finish(&$0) }
        ready?.continuation.resume(returning: ready?.result ?? SurveyResult())
    }

    private typealias Ready = (continuation: CheckedContinuation<SurveyResult, Never>, result: SurveyResult)

    private static func finish(_ state: inout State) -> Ready? {
        state.isOver = true
        defer { state.waiting = nil }
        return state.waiting.map { ($0, state.result) }
    }

    /// To be asked once.
    func result() async -> SurveyResult {
        await withCheckedContinuation { continuation in
            let result: SurveyResult? = state.withLock { state in
                if state.isOver { return state.result }
                state.waiting = continuation
                return nil
            }
            if let result { continuation.resume(returning: result) }
        }
    }
}

// MARK: A shard's part

/// The heaviest connections of a part of a shard's slots, by slot: only those that stay get their address looked up.
struct SurveyRanking {
    private let countMax: Int
    /// Heaviest first.
    private var entries: [(weight: UInt64, slot: UInt32)] = []

    init(countMax: Int) {
        self.countMax = countMax
        entries.reserveCapacity(countMax + 1)
    }

    mutating func consider(_ slot: UInt32, _ weight: UInt64) {
        if weight == 0 { return }
        if entries.count == countMax, let last = entries.last, last.weight >= weight { return }
        let index = entries.firstIndex { $0.weight < weight } ?? entries.count
        entries.insert((weight, slot), at: index)
        if entries.count > countMax { entries.removeLast() }
    }

    var slots: [UInt32] { entries.map(\.slot) }
}

extension ShardState {
    /// Look at the slots from `first` on. Returns where to go on; nil: that were all.
    func survey(_ survey: ConnectionSurvey, from first: UInt32) -> UInt32? {
        switch survey.question {
        case .busiest: surveyBusiest(survey, from: first)
        case .relayPeers: surveyRelayPeers(survey, from: first)
        }
    }

    private func surveyRelayPeers(_ survey: ConnectionSurvey, from first: UInt32) -> UInt32? {
        let (end, left) = (UInt32(slab.slotCount), survey.relayPeersLeft)
        let next = min(end, first + ConnectionSurvey.describedSlotsPerTurn)
        let slots = (first..<max(first, next)).filter { slot in
            slab.isOccupied(slot) && !slab[slot].pointee.closing && relayPeer(in: slot) != nil
        }
        survey.add(SurveyResult(relayPeers: slots.prefix(left).map { describe($0) }))
        return next < end && left > slots.count ? next : nil
    }

    /// Who it is, once that is known.
    private func relayPeer(in slot: UInt32) -> PeerID? {
        guard slab[slot].pointee.session == .relay else { return nil }
        let peer = relayShard.pointee.peer(slot).pointee
        return peer.stage == .peer ? peer.id : nil
    }

    private func surveyBusiest(_ survey: ConnectionSurvey, from first: UInt32) -> UInt32? {
        let end = UInt32(slab.slotCount)
        let next = min(end, first + ConnectionSurvey.slotsPerTurn)
        var (bytes, queues) = (SurveyRanking(countMax: survey.countMax), SurveyRanking(countMax: survey.countMax))
        for slot in first..<max(first, next) where slab.isOccupied(slot) {
            let connection = slab[slot]
            // The descriptor of one that closes may be another's by now.
            if connection.pointee.session == .admin || connection.pointee.closing { continue }
            bytes.consider(slot, connection.pointee.receivedByteCount &+ connection.pointee.sentByteCount)
            queues.consider(slot, queuedByteCount(slot))
        }
        let result = SurveyResult(
            byBytes: bytes.slots.map { describe($0) }, byQueue: queues.slots.map { describe($0) })
        survey.add(result)
        return next < end ? next : nil
    }

    private func describe(_ slot: UInt32) -> SurveyedConnection {
        let connection = slab[slot]
        return SurveyedConnection(
            listener: connection.pointee.listener,
            peer: peerAddress(of: connection)?.description ?? "",
            relayPeer: relayPeer(in: slot)?.description,
            ageNanoseconds: now - connection.pointee.opened,
            bytesReceived: connection.pointee.receivedByteCount, bytesSent: connection.pointee.sentByteCount,
            bytesQueued: queuedByteCount(slot))
    }

    /// What waits to be sent: in the connection's buffers, and in the relay's backlog behind them.
    private func queuedByteCount(_ slot: UInt32) -> UInt64 {
        let unsent = slab[slot].pointee.unsentByteCount
        guard slab[slot].pointee.session == .relay else { return UInt64(unsent) }
        return UInt64(unsent + relayShard.pointee.backlog.byteCount(for: slot))
    }
}
