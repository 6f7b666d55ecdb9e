// Messages that answer no request, between the loop that brings them and the tasks that receive them. They outlive the
// connection: what came before its end can still be received.

import ApusWire
import Synchronization

final class Arrivals: Sendable {
    private struct State {
        /// One of the two is always empty.
        var unread = FIFO<Message>()
        var receivers = FIFO<Waiter<Message>>()
        var unreadByteCount = 0
        var fate: ClientError?
    }

    /// What a message takes beside its payload.
    private static let messageByteCount = 64

    private let byteCountMax: Int
    private let state = Mutex(State())

    init(byteCountMax: Int) { self.byteCountMax = byteCountMax }

    func deliver(_ message: Message) throws(ClientError) {
        // A receiver whose task was cancelled takes nothing; then the next one may.
        while let receiver = try receiverOrKeep(message) {
            if receiver.settle(.success(message)) { return }
        }
    }

    /// The next receiver; without one the message is kept. One step under the lock, so that none is missed.
    private func receiverOrKeep(_ message: Message) throws(ClientError) -> Waiter<Message>? {
        let (receiver, excess) = state.withLock { state -> (Waiter<Message>?, Int?) in
            if let receiver = state.receivers.popFirst() { return (receiver, nil) }
            let isFirst = state.unread.isEmpty
            state.unread.append(message)
            state.unreadByteCount += cost(of: message)
            return (nil, isFirst || state.unreadByteCount <= byteCountMax ? nil : state.unreadByteCount)
        }
        if let excess { throw .unreadMessages(byteCount: excess, limit: byteCountMax) }
        return receiver
    }

    func next() async throws(ClientError) -> Message {
        let receiver = Waiter<Message>()
        let outcome = state.withLock { state -> Waiter<Message>.Outcome? in
            if let message = state.unread.popFirst() {
                state.unreadByteCount -= cost(of: message)
                return .success(message)
            }
            if let fate = state.fate { return .failure(fate) }
            // Receivers of cancelled tasks would pile up if no message ever came.
            if state.receivers.count >= 16 { _ = state.receivers.popAll { $0.isSettled } }
            state.receivers.append(receiver)
            return nil
        }
        if let outcome { return try outcome.get() }
        return try await receiver.value()
    }

    func end(with error: ClientError) {
        let receivers = state.withLock { state in
            state.fate = state.fate ?? error
            return state.receivers.popAll()
        }
        for receiver in receivers { receiver.settle(.failure(error)) }
    }

    private func cost(of message: Message) -> Int {
        Arrivals.messageByteCount + MessageEncoder.byteCount(of: message)
    }
}
