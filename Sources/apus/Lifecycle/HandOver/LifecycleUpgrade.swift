// How a serving process is replaced by another: conditions, successor, hand-over, and then the drain; or everything as
// it was.

import Foundation
import Glibc

extension ServerLifecycle {
    func openUpgradeSocket() {
        guard let path = settings.upgradeSocket.path else { return }
        do throws(HandOverError) {
            let socket = try UpgradeSocket(at: path)
            upgradeSocket.withLock { $0 = socket }
            socket.serve(
                UpgradeSocket.Services(
                    handOver: { self.giveWay(to: $0) },
                    upgrade: { answer in
                        self.upgrade { outcome in
                            self.say(outcome)
                            answer(outcome)
                        }
                    }, log: { self.warn($0) }))
        } catch {
            warn("upgrade socket: \(error); upgrades of this process begin with SIGUSR2 only")
        }
    }

    /// Start the program that is on disk now, hand it the sockets, and drain. Blocks until it is done or rolled back.
    /// - Parameter report: hears what became of it before the drain begins: when nobody is connected, the process ends
    ///   at once.
    func upgrade(_ report: (UpgradeOutcome) -> Void) {
        if let reason = beginUpgrade() { return report(.refused(reason)) }
        let outcome = startSuccessor()
        report(outcome)
        concludeUpgrade(outcome)
    }

    private func startSuccessor() -> UpgradeOutcome {
        let deadline = Deadline(after: settings.upgradeTimeout)
        do throws(HandOverError) {
            let (own, its) = try HandOverChannel.pair()
            let variables = Successor.environment(from: environment)
            let successor = try Successor(try .own, environment: variables, connection: its.descriptor)
            log("upgrade: process \(successor.processID) is to take over")
            its.close()
            switch awaitAndHandOver(own, deadline) {
            case .done: return .done(successor: successor.processID)
            case .rolledBack(let reason, let leaves):
                return .rolledBack("\(reason) (\(successor.end(within: leaves ? settings.drainTimeout : .zero)))")
            }
        } catch {
            return .rolledBack("\(error)")
        }
    }

    private func awaitAndHandOver(_ channel: HandOverChannel, _ deadline: Deadline) -> HandOverResult {
        do throws(HandOverError) {
            let (message, descriptors) = try channel.receive(by: deadline)
            descriptors.forEach { close($0) }
            switch message {
            case .take: return handOver(to: channel, deadline)
            case .failed(let reason): return .rolledBack(reason, successorLeaves: true)
            case .upgrade, .listener, .end, .ready, .released, .refused, .outcome: throw .violation(.unexpected)
            }
        } catch {
            return .rolledBack("\(error)", successorLeaves: false)
        }
    }

    /// A process that somebody else has started asks for the sockets, and has said so already.
    private func giveWay(to channel: HandOverChannel) {
        if let reason = beginUpgrade() {
            warn("upgrade refused: \(reason)")
            channel.sendLast(.refused(reason: reason))
            return
        }
        let result = handOver(to: channel, Deadline(after: settings.upgradeTimeout))
        let outcome: UpgradeOutcome = switch result {
        case .done(let successor): .done(successor: successor)
        case .rolledBack(let reason, _): .rolledBack(reason)
        }
        say(outcome)
        concludeUpgrade(outcome)
    }

    private func handOver(to channel: HandOverChannel, _ deadline: Deadline) -> HandOverResult {
        guard let served = served.withLock({ $0 }) else {
            return .rolledBack("there is no server yet", successorLeaves: false)
        }
        let activated = inheritance.activated
        let sockets = served.server.listeningSockets()
        guard !sockets.isEmpty else {
            let reason = "no descriptor is left for copies of the listening sockets; raise LimitNOFILE="
            channel.sendLast(.refused(reason: reason))
            return .rolledBack(reason, successorLeaves: false)
        }
        let listeners = sockets.map { listener in
            var listener = listener
            listener.isActivated = activated.contains(listener.name)
            return listener
        }
        return HandOver(channel: channel, deadline: deadline, listeners: listeners)
            .run { self.release(served, to: $0) }
    }

    /// From here on the successor is the service.
    private func release(_ served: Served, to successor: Int32) -> String? {
        if let reason = state.withLock({ $0.handOver() }) { return reason }
        served.server.releaseListeners()
        notify.tell(.mainPID(successor))
        notify.silence()
        // Its path is free before the successor hears that it may have it.
        upgradeSocket.withLock { $0?.close() }
        return nil
    }

    /// - Returns: why not.
    private func beginUpgrade() -> String? {
        var conditions = UpgradeConditions.current(environment: environment)
        conditions.processID = processID
        return conditions.refusal ?? state.withLock { $0.beginUpgrade() }
    }

    /// - Parameter name: of the signal that asked.
    func say(_ outcome: UpgradeOutcome, asked name: String? = nil) {
        let text = (name.map { "\($0): " } ?? "") + outcome.text
        outcome.isDone ? log(text) : warn(text)
    }

    private func concludeUpgrade(_ outcome: UpgradeOutcome) {
        state.withLock { $0.endUpgrade() }
        remark.withLock { $0 = outcome.isDone ? "" : outcome.text }
        guard outcome.isDone, let served = served.withLock({ $0 }) else { return }
        served.onDraining()
        log("draining until nobody is left, for at most \(settings.drainLimit.brief)")
        drainNow(served, .patient)
    }
}
