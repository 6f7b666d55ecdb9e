// The side of a hand-over that gives: pass the listening sockets to a successor, wait until it serves, let go. It knows
// neither how the successor came to be nor what the server does afterwards.

import Glibc

/// How a hand-over ended.
enum HandOverResult: Equatable, Sendable {
    /// The successor, which now serves alone.
    case done(successor: Int32)
    /// Nothing has changed: this server goes on, and why. A successor that leaves by itself first serves whom it has
    /// accepted; one that does not answer any more serves nobody.
    case rolledBack(String, successorLeaves: Bool)
}

struct HandOver {
    let channel: HandOverChannel
    /// By then the successor must serve.
    let deadline: Deadline
    /// Listening sockets, copies of which are this call's to close.
    let listeners: [LifecycleListener]

    /// - Parameter release: called when the successor serves: stop accepting. When it returns a reason, that does not
    ///   happen, and the successor must go.
    func run(release: (_ successor: Int32) -> String?) -> HandOverResult {
        do throws(HandOverError) {
            try give()
            switch try receive() {
            case .ready(let successor): return try conclude(successor, release)
            case .failed(let reason): return .rolledBack(reason, successorLeaves: true)
            case .take, .upgrade, .listener, .end, .released, .refused, .outcome: throw .violation(.unexpected)
            }
        } catch {
            channel.sendLast(.refused(reason: "\(error)"))
            return .rolledBack("\(error)", successorLeaves: false)
        }
    }

    private func conclude(
        _ successor: Int32, _ release: (_ successor: Int32) -> String?
    ) throws(HandOverError) -> HandOverResult {
        // Whoever lets go now without anybody there would leave the listeners to nobody.
        guard !channel.isEnded else { throw .ended }
        if let reason = release(successor) {
            channel.sendLast(.refused(reason: reason))
            return .rolledBack(reason, successorLeaves: true)
        }
        // It serves whether it hears this or not.
        channel.sendLast(.released)
        return .done(successor: successor)
    }

    private func give() throws(HandOverError) {
        defer { listeners.forEach { $0.descriptors.forEach { close($0) } } }
        for listener in listeners {
            let step = HandOverChannel.descriptorsAtOnceMax
            for start in stride(from: 0, to: listener.descriptors.count, by: step) {
                let part = Array(listener.descriptors[start...].prefix(step))
                let message = HandOverListener(
                    name: listener.name, address: listener.address, isActivated: listener.isActivated,
                    descriptorCount: part.count)
                try channel.send(.listener(message), with: part, by: deadline)
            }
        }
        try channel.send(.end, by: deadline)
    }

    private func receive() throws(HandOverError) -> HandOverMessage {
        let (message, descriptors) = try channel.receive(by: deadline)
        descriptors.forEach { close($0) }
        return message
    }
}

/// A listener's sockets at the moment of a hand-over.
struct LifecycleListener: Sendable {
    let name: String
    /// As bound.
    let address: String
    let descriptors: [Int32]
    var isActivated = false
}
