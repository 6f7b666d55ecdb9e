// Answers asynchronous requests. The handlers themselves say nothing, since nobody knows when a task ends; the desk
// notices which requests the shard has started, and posts each reply after a delay of the plan.

import ApusReactor
import ApusServer

struct AsyncDesk {
    private var seen: [(generation: UInt32, count: UInt32)]
    /// The most replies that have waited for those of earlier requests.
    private(set) var earlyCountMax = 0
    fileprivate var knowsOfDrain = false

    init(slotCount: Int) { seen = Array(repeating: (0, 0), count: slotCount) }

    /// The requests of a connection that have been started since the last look.
    fileprivate mutating func newRequests(_ slot: UInt32, _ connection: Connection) -> Range<UInt32> {
        let before = seen[Int(slot)]
        let first = before.generation == connection.generation ? before.count : 0
        seen[Int(slot)] = (connection.generation, connection.asyncRequested)
        return first..<connection.asyncRequested
    }

    mutating func noteEarly(_ count: Int) { earlyCountMax = max(earlyCountMax, count) }
}

extension Simulation {
    func postAnswers() {
        asyncDesk.noteEarly(state.pointee.asyncReplies.count)
        let drainBegins = state.pointee.isDraining && !asyncDesk.knowsOfDrain
        asyncDesk.knowsOfDrain = state.pointee.isDraining
        forEachConnection { slot, connection in
            guard connection.asyncRequested > 0, let client = client(of: connection.descriptor) else { return }
            if drainBegins, connection.asyncOutstanding > 0 {
                client.noteDrain(asyncRequested: Int(connection.asyncRequested))
            }
            let token = ConnectionToken(shard: 0, generation: connection.generation, slot: slot)
            for sequence in asyncDesk.newRequests(slot, connection) {
                let request = client.script.requests[client.bounds.asyncPlaces[Int(sequence)]]
                post(request, token, sequence)
            }
        }
    }

    private func post(_ request: Request, _ token: ConnectionToken, _ sequence: UInt32) {
        let byteCount = request.bytes.count - 9
        let event: ShardEvent =
            switch request.asyncFate {
            case .reply(let packet):
                .asyncReply(token, sequence: sequence, packet: packet, failed: false, byteCount: byteCount)
            case .failed: .asyncReply(token, sequence: sequence, packet: nil, failed: true, byteCount: byteCount)
            case .silence, nil:
                .asyncReply(token, sequence: sequence, packet: nil, failed: false, byteCount: byteCount)
            case .tooLarge: .asyncReplyTooLarge(token, sequence: sequence, byteCount: byteCount)
            }
        after(1 + plan.random.nanoseconds(upTo: plan.asyncDelayMax)) { [inbox] in _ = inbox.post(event) }
    }
}
