// What a client's tasks ask of its conversation: values, posted from any thread.

import ApusWire

enum Call: Sendable {
    case say(Utterance)
    case disconnect(Waiter<Void>)

    func fail(with error: ClientError) {
        switch self {
        case .say(let utterance): utterance.fail(with: error)
        case .disconnect(let waiter): waiter.settle(.failure(error))
        }
    }
}

/// One message to send, encoded by whoever calls, and who waits for what.
struct Utterance: Sendable {
    enum Purpose: Sendable {
        case reply(Waiter<Message>, within: Duration)
        /// Nobody answers; settled when the bytes are on their way.
        case statement(Waiter<Void>)
    }

    let kind: MessageKind
    let packet: [UInt8]
    let purpose: Purpose

    var expectsReply: Bool {
        switch purpose {
        case .reply: true
        case .statement: false
        }
    }

    /// How long its task waits for the reply; nil: there is none.
    var timeout: Duration? {
        switch purpose {
        case .reply(_, let within): within
        case .statement: nil
        }
    }

    /// Nobody waits any more, and nothing has been sent: the message need not be.
    var isAbandoned: Bool {
        switch purpose {
        case .reply(let waiter, _): waiter.isSettled
        case .statement(let waiter): waiter.isSettled
        }
    }

    func fail(with error: ClientError) {
        switch purpose {
        case .reply(let waiter, _): waiter.settle(.failure(error))
        case .statement(let waiter): waiter.settle(.failure(error))
        }
    }

    func failLate(address: String) {
        fail(with: .timeout(.reply(to: kind), after: timeout ?? .zero, address: address))
    }
}
