// The way of one shard's events to the thread that tells them: a lane, and counts of what did not take it.

import ApusReactor

package final class ShardEventLane: Sendable {
    /// About a thousand events.
    static let byteCount = 256 << 10

    private let lane: RecordLane
    private let heldBack = ReasonCounters(count: ServerEvent.Name.allCases.count)
    private let lost = Counter()

    init() throws(SystemError) { lane = try RecordLane(byteCount: ShardEventLane.byteCount, for: "log events") }

    // MARK: The shard's side

    func post(_ event: LogEvent) {
        // The lane copies the bytes before the closure returns.
        let isPosted = withUnsafeBytes(of: event) { lane.post(RawSpan(_unsafeBytes: $0)) }
        if !isPosted { lost.add() }
    }

    func countHeldBack(_ name: ServerEvent.Name) { heldBack.add(Int(name.rawValue)) }

    // MARK: The other side

    package func drain(_ deliver: (LogEvent) -> Void) {
        lane.drain { record in
            // `post` wrote one there, at an address that suits any type.
            deliver(record.unsafeLoad(as: LogEvent.self))
        }
    }

    func heldBackCount(_ name: ServerEvent.Name) -> UInt64 { heldBack[Int(name.rawValue)] }
    var lostCount: UInt64 { lost.count }
}
