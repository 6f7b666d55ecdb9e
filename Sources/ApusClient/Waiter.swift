// Where one task waits for one value that another thread brings. Whoever settles first decides: the loop with a value
// or an error, or the task's cancellation.

import Synchronization

final class Waiter<Value: Sendable>: Sendable {
    typealias Outcome = Result<Value, ClientError>

    private enum State {
        case untouched
        case waiting(CheckedContinuation<Outcome, Never>)
        case settled(Outcome)
        case taken
    }

    private let state = Mutex(State.untouched)

    /// Nobody waits any more: what the value would be for need not be done.
    var isSettled: Bool {
        state.withLock { state in
            switch state {
            case .untouched, .waiting: false
            case .settled, .taken: true
            }
        }
    }

    /// False when it had been settled before: the outcome is not taken.
    @discardableResult
    func settle(_ outcome: Outcome) -> Bool {
        let (isFirst, continuation) = state.withLock { state -> (Bool, CheckedContinuation<Outcome, Never>?) in
            switch state {
            case .untouched:
                state = .settled(outcome)
                return (true, nil)
            case .waiting(let continuation):
                state = .taken
                return (true, continuation)
            case .settled, .taken:
                return (false, nil)
            }
        }
        continuation?.resume(returning: outcome)
        return isFirst
    }

    /// The outcome; `cancelled` as soon as the calling task is.
    func value() async throws(ClientError) -> Value {
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { wait(with: $0) }
        } onCancel: {
            settle(.failure(.cancelled))
        }
        return try outcome.get()
    }

    private func wait(with continuation: CheckedContinuation<Outcome, Never>) {
        let outcome = state.withLock { state -> Outcome? in
            switch state {
            case .untouched:
                state = .waiting(continuation)
                return nil
            case .settled(let outcome):
                state = .taken
                return outcome
            case .waiting, .taken:
                preconditionFailure("two tasks wait for one value")
            }
        }
        if let outcome { continuation.resume(returning: outcome) }
    }
}
