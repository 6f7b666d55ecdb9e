// What the life of a process needs of the server in it. Tests put another one there.

import ApusServer

protocol LifecycleServer: Sendable {
    /// Stop accepting and let peers finish; see `ServerHandle.shutdown`.
    func drain(timeout: Duration, over window: Duration?)
    func stop()
    /// Block until it has ended.
    func waitForEnd() -> ServerExit
    /// Copies, which are the caller's to close.
    func listeningSockets() -> [LifecycleListener]
    /// Stop accepting, and leave paths to whoever goes on with the sockets.
    func releaseListeners()
    var totals: ServerTotals { get }
}

/// A server that has started, and what else there is to drive in its process. All of it is called from other threads
/// than the server's.
struct Served: Sendable {
    let server: any LifecycleServer
    /// Nil: there is nothing to reload.
    var reload: (@Sendable () -> ReloadAnswer)?
    /// Log files may have been renamed.
    var reopenLogs: @Sendable () -> Void = {}
    /// This process, and no other, answers for the service from now on, and can be told to reload.
    var onServing: @Sendable () -> Void = {}
    /// Readiness fails from now on; accepting stops after the lead time.
    var onDraining: @Sendable () -> Void = {}
    /// Writes the state to the log; nil: the totals are written.
    var dump: (@Sendable () -> Void)?
    /// Every loop ticked lately.
    var isLive: @Sendable () -> Bool = { true }
    /// Why it cannot serve yet, in words; empty when it can.
    var unreadiness: @Sendable () -> [String] = { [] }
}

/// What became of a reload, in words for an operator.
enum ReloadAnswer: Equatable, Sendable {
    case applied(String)
    /// The old configuration stays.
    case refused(String)
}

/// What became of an upgrade.
enum UpgradeOutcome: Equatable, Sendable {
    case done(successor: Int32)
    /// Nothing was tried.
    case refused(String)
    /// It was tried, and this server goes on.
    case rolledBack(String)

    var isDone: Bool {
        if case .done = self { true } else { false }
    }

    var text: String {
        switch self {
        case .done(let successor): "process \(successor) has taken over"
        case .refused(let reason): "upgrade refused: \(reason)"
        case .rolledBack(let reason): "upgrade rolled back: \(reason)"
        }
    }
}
