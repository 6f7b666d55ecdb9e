// What can be asked of a serving process: reload, drain, stop, dump; by signals and by the control endpoint alike. Each
// verb returns at once, or says that it takes its time.

import Foundation
import Glibc

extension ServerLifecycle {
    /// Prepare and swap, or refuse whole. Any thread may ask; it takes as long as it takes.
    @discardableResult
    func reload() -> ReloadAnswer { work.sync { reloadNow() } }

    private func reloadNow() -> ReloadAnswer {
        guard phase == .serving, let served = served.withLock({ $0 }) else {
            return .refused("the server is \(phase), not serving")
        }
        notify.tell(.reloadingNow())
        served.reopenLogs()
        let answer = served.reload?() ?? .refused("there is no configuration file to reload")
        switch answer {
        case .applied: remark.withLock { $0 = "" }
        case .refused(let reason): remark.withLock { $0 = "reload refused: \(reason)" }
        }
        // Also after a refusal: what is served is the configuration before.
        notify.tell(.ready)
        return answer
    }

    /// Fail readiness, wait for the lead time, stop accepting, and let peers finish.
    @discardableResult
    func drain(_ kind: DrainKind) -> DrainAnswer {
        let answer = state.withLock { $0.beginDrain(kind) }
        guard let served = served.withLock({ $0 }) else { return .notServing }
        switch answer {
        case .began:
            served.onDraining()
            tellStopping(kind)
            Thread.detachNewThread {
                Thread.sleep(forTimeInterval: self.settings.drainDelay.seconds)
                self.drainNow(served, self.state.withLock { $0.drainKind } ?? kind)
            }
        case .hastened:
            // It can only shorten the time.
            drainNow(served, kind)
        case .underWay, .notServing:
            break
        }
        return answer
    }

    func drainNow(_ served: Served, _ kind: DrainKind) {
        let limit = settings.limit(of: kind)
        served.server.drain(timeout: limit, over: settings.drainWindow.map { min($0, limit) })
    }

    /// The manager's own patience begins with this word.
    private func tellStopping(_ kind: DrainKind) {
        let lingering = Duration.seconds(5)
        notify.tell(.stopping, .extendTimeout(settings.drainDelay + settings.limit(of: kind) + lingering))
    }

    /// Close everything at once.
    func stop() { served.withLock { $0 }?.server.stop() }

    /// What the server does at the moment, in the log.
    func dump() { work.async { self.dumpNow() } }

    private func dumpNow() {
        guard let served = served.withLock({ $0 }) else { return }
        if let dump = served.dump { return dump() }
        let totals = served.server.totals
        log("state: \(phase): \(totals.openConnections) connections, \(totals.messages) messages since the start")
    }

    /// What a signal asks for.
    func obey(_ signal: Int32) {
        let name = Signals.name(of: signal)
        switch signal {
        case SIGHUP: work.async { self.logReload(self.reloadNow(), asked: name) }
        case SIGUSR1: logDrain(drain(.patient), .patient, asked: name)
        case SIGUSR2: Thread.detachNewThread { self.upgrade { self.say($0, asked: name) } }
        case SIGQUIT: dump()
        case SIGTERM, SIGINT:
            let answer = drain(.prompt)
            guard answer == .underWay || answer == .notServing else { return logDrain(answer, .prompt, asked: name) }
            log("\(name): stopping at once")
            stop()
        default: log("\(name) means nothing here")
        }
    }

    private func logReload(_ answer: ReloadAnswer, asked name: String) {
        switch answer {
        case .applied(let report): log("\(name): reloaded: \(report)")
        case .refused(let reason): warn("\(name): \(reason)")
        }
    }

    private func logDrain(_ answer: DrainAnswer, _ kind: DrainKind, asked name: String) {
        switch (answer, kind) {
        case (.began, .prompt), (.began, .within):
            log("\(name): draining for at most \(settings.limit(of: kind).brief); a second signal stops at once")
        case (.began, .patient):
            log("\(name): draining until nobody is left, for at most \(settings.drainLimit.brief)")
        case (.hastened, _):
            log("\(name): draining for at most \(settings.drainTimeout.brief) more; another signal stops at once")
        case (.underWay, _): log("\(name): draining already")
        case (.notServing, _): log("\(name): the server is \(phase), not serving")
        }
    }
}
