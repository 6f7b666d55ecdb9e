// Calls of one client on their way from any thread to the loop, and the reason why there will be no more. It knows
// neither what a call means nor who takes it.

import Synchronization

final class CallQueue<Call: Sendable>: Sendable {
    private struct State {
        var calls: [Call] = []
        var fate: ClientError?
    }

    enum Posting {
        /// The queue was empty: the loop must be told.
        case first
        /// The loop has been told.
        case behind
        /// The connection has ended, or the queue is full.
        case refused(ClientError)
    }

    private let countMax: Int
    private let state = Mutex(State())

    init(countMax: Int) { self.countMax = countMax }

    /// Why the connection ended; nil while it lasts.
    var fate: ClientError? { state.withLock { $0.fate } }

    func post(_ call: Call) -> Posting {
        state.withLock { state in
            if let fate = state.fate { return .refused(fate) }
            guard state.calls.count < countMax else { return .refused(.overloaded(limit: countMax)) }
            state.calls.append(call)
            return state.calls.count == 1 ? .first : .behind
        }
    }

    /// What was posted, oldest first; the loop asks.
    func takeAll() -> [Call] {
        state.withLock { state in
            let calls = state.calls
            state.calls = []
            return calls
        }
    }

    /// Refuse all further calls for this reason, and hand over those that were not taken; nil when it had ended before.
    func end(with error: ClientError) -> [Call]? {
        state.withLock { state in
            guard state.fate == nil else { return nil }
            state.fate = error
            let calls = state.calls
            state.calls = []
            return calls
        }
    }
}
