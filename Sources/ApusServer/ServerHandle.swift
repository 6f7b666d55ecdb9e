// A running server, as its owner sees it from any thread.

import ApusReactor
import ApusSecurity
import ApusWire
import Synchronization

/// How a server ended.
public enum ServerExit: Equatable, Sendable {
    /// Every peer had finished, or was told and left.
    case drained
    /// The deadline, or `stop`, cut off this many connections.
    case forced(connections: Int)
}

/// What a running server was last told, for its handle and for the thread that waits for its end.
final class LiveState: Sendable {
    let value: Mutex<LiveConfiguration>

    init(_ value: LiveConfiguration) { self.value = Mutex(value) }
}

public final class ServerHandle: Sendable {
    /// Where the server listens, in the order of the configuration; a port 0 has become the real one.
    public var boundAddresses: [String] { live.value.withLock { $0.table.addresses } }
    /// Connections the server will hold at once: what was configured, as far as the process's descriptors reach.
    public var maxConnections: Int { shared.connectionsMax }
    let live: LiveState
    let shared: SharedState
    let inboxes: [Inbox<ShardEvent>]
    /// As the server started with it.
    private let admin: AdminSettings
    private let ended: Ending

    init(
        _ live: LiveConfiguration, _ shared: SharedState, _ inboxes: [Inbox<ShardEvent>], _ threads: [ThreadHandle]
    ) throws(SystemError) {
        admin = live.configuration.admin
        let live = LiveState(live)
        self.live = live
        self.shared = shared
        self.inboxes = inboxes
        let ended = Ending()
        self.ended = ended
        let teller = try EventTeller.start(shared.events)
        let slots = live.value.withLock { $0.table.entries.map(\.slot) }
        for slot in slots { shared.events.post(.listening, listener: Int(slot)) }
        let finish: @Sendable () -> Void = {
            threads.forEach { $0.join() }
            shared.closeLeftovers()
            live.value.withLock { $0.removeAbandonedFiles() }
            let forced = shared.forcedCount
            shared.events.post(.ended(forced: forced))
            teller?.end()
            ended.end(with: forced == 0 ? .drained : .forced(connections: forced))
        }
        do throws(SystemError) {
            _ = try LoopThread.start(name: "apus-end", finish)
        } catch {
            teller?.end()
            throw error
        }
    }

    /// Stop accepting at once, answer what is under way, tell idle peers to leave, and cut off whoever has not finished
    /// after `timeout` (the configured one when nil): their written replies still leave, for at most two seconds more.
    /// A second call can only shorten the time. Returns at once; `wait` or `run` says when it is over.
    /// - Parameter window: idle peers are told one after the other, evenly over this time, so that they do not all come
    ///   back elsewhere at once; at most `timeout`. Nil: all of them now. To drain until the last has left by itself,
    ///   give a long timeout.
    public func shutdown(timeout: Duration? = nil, over window: Duration? = nil) {
        let configured = beginEnd()
        let timeout = Nanoseconds(timeout ?? configured)
        let window = window.map { Nanoseconds($0) } ?? 0
        inboxes.forEach { _ = $0.post(.drain(timeout, over: window)) }
    }

    /// Close everything at once.
    public func stop() {
        beginEnd()
        inboxes.forEach { _ = $0.post(.stop) }
    }

    /// No shard hands a connection to another any more, no reload follows, and nothing leads here.
    /// - Returns: how long a shutdown waits that is not told otherwise.
    @discardableResult
    private func beginEnd() -> Duration {
        _ = shared.beginEnd()
        return live.value.withLock { live in
            live.end()
            return live.configuration.shutdownTimeout
        }
    }

    /// Block the calling thread until the server has ended.
    @discardableResult
    public func wait() -> ServerExit { ended.wait() }

    /// Suspend until the server has ended.
    @discardableResult
    public func run() async -> ServerExit { await ended.value() }

    /// Send a message to a connection, from any thread. A connection that is gone gets nothing, which is counted.
    /// - Returns: false when the shard has ended, too many pushes wait, or the message is longer than a packet can be.
    @discardableResult
    public func push(_ message: Message, to token: ConnectionToken) -> Bool {
        guard Int(token.shard) < inboxes.count, let packet = PacketEncoder.encodeIfFits(message) else { return false }
        guard shared.admitPush() else { return false }
        if inboxes[Int(token.shard)].post(.push(token, packet: packet)) { return true }
        shared.pushTaken()
        return false
    }

    /// Give a TLS listener another certificate, key and whatever else the material holds: for the handshakes that begin
    /// from now on; connections that stand keep theirs.
    /// - Parameter listener: its name.
    public func replaceTLS(_ material: TLSMaterial, of listener: String) throws(ServerError) {
        try live.value.withLock { live throws(ServerError) in
            let slot = try live.replaceTLS(material, of: listener)
            inboxes.forEach { _ = $0.post(.replaceTLS(listener: slot, material)) }
            shared.vitals.directory.replaceValidity(material.validity, of: listener)
        }
    }

    /// Tell the event sink of something that concerns the server as a whole.
    package func note(_ kind: ServerEvent.Kind) { shared.events.post(kind) }

    /// What the server has counted so far, over all shards. Reading stops no loop.
    public var metrics: ServerMetrics { ServerMetrics(shared) }

    /// Whether it lives and may be sent work. Reading stops no loop.
    public var health: ServerHealth { shared.health(stallLimit: admin.stallLimit) }

    /// Every metric with its name, as `/metrics` shows them. Reading stops no loop.
    public var metricFamilies: [MetricFamily] {
        ServerReport(shared, admin).families + (admin.moreFamilies?() ?? [])
    }

    /// Say that the server is not to be sent work any more, before it stops taking it; nil takes that back.
    public func withdrawReadiness(_ reason: String?) { shared.vitals.unreadyReason = reason }

    /// Count a reload of what this server was configured from, whether it came as far as the server or not.
    public func countReload(isApplied: Bool) { shared.vitals.countReload(isApplied: isApplied) }
}

/// The end of a server: told once, heard by any number of threads and tasks.
private final class Ending: Sendable {
    private struct State {
        var exit: ServerExit?
        var waiting: [CheckedContinuation<ServerExit, Never>] = []
    }

    private let gate = Gate<ServerExit>()
    private let state = Mutex(State())

    func end(with exit: ServerExit) {
        let waiting = state.withLock { state in
            state.exit = exit
            defer { state.waiting = [] }
            return state.waiting
        }
        gate.open(with: exit)
        waiting.forEach { $0.resume(returning: exit) }
    }

    func wait() -> ServerExit { gate.wait() }

    func value() async -> ServerExit {
        await withCheckedContinuation { continuation in
            let exit = state.withLock { state in
                if state.exit == nil { state.waiting.append(continuation) }
                return state.exit
            }
            if let exit { continuation.resume(returning: exit) }
        }
    }
}
