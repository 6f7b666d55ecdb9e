// The signals of a server: blocked in every thread, and waited for in one. Call `block` before any other thread starts,
// since threads inherit what is blocked. What a signal means is said elsewhere.

import Foundation
import Glibc

enum Signals {
    /// SIGPIPE is blocked and never waited for: a write to a pipe without reader then only fails.
    private static let blocked = awaited + [SIGPIPE]
    private static let awaited = [SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGQUIT]

    static func block() {
        var set = Signals.set(of: blocked)
        pthread_sigmask(SIG_BLOCK, &set, nil)
    }

    /// Call `handle` with each signal that arrives, on a thread of its own.
    static func watch(_ handle: @escaping @Sendable (Int32) -> Void) {
        Thread.detachNewThread {
            var set = Signals.set(of: awaited)
            while true {
                var signal: Int32 = 0
                if sigwait(&set, &signal) == 0 { handle(signal) }
            }
        }
    }

    static func name(of signal: Int32) -> String {
        switch signal {
        case SIGTERM: "SIGTERM"
        case SIGINT: "SIGINT"
        case SIGHUP: "SIGHUP"
        case SIGUSR1: "SIGUSR1"
        case SIGUSR2: "SIGUSR2"
        case SIGQUIT: "SIGQUIT"
        default: "signal \(signal)"
        }
    }

    private static func set(of signals: [Int32]) -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in signals { sigaddset(&set, signal) }
        return set
    }
}
