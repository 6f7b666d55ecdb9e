// The life of a serving process: where its sockets come from, that it serves, how it ends, and who takes over. Signals,
// the control endpoint and the upgrade socket all drive the same few verbs here. It knows nothing of connections.

import ApusServer
import Foundation
import Glibc
import Synchronization

final class ServerLifecycle: Sendable {
    private let currentSettings: Mutex<LifecycleSettings>
    let environment: [String: String]
    let processID: Int32
    let notify: Notify
    let state = Mutex(LifecycleState())
    /// Set once, before any verb can do anything.
    let served = Mutex<Served?>(nil)
    let inherited = Mutex(Inheritance())
    let upgradeSocket = Mutex<UpgradeSocket?>(nil)
    /// What the status line says behind the numbers.
    let remark = Mutex("")
    /// Reloads and dumps, one after the other, on a thread that may wait for files.
    let work = DispatchQueue(label: "apus-lifecycle")

    /// - Parameters:
    ///   - environment: as the process began.
    ///   - processID: for tests, who are not process 1.
    init(
        _ settings: LifecycleSettings, environment: [String: String] = ProcessInfo.processInfo.environment,
        processID: Int32 = getpid()
    ) {
        currentSettings = Mutex(settings)
        self.environment = environment
        self.processID = processID
        notify = Notify(environment: environment, log: settings.warn)
    }

    var phase: LifecyclePhase { state.withLock { $0.phase } }

    var settings: LifecycleSettings { currentSettings.withLock { $0 } }

    /// Which listeners go on with which sockets, since the start.
    var inheritance: Inheritance { inherited.withLock { $0 } }

    /// After a reload: deadlines hold from the next drain or upgrade on, the files' paths stay as they were.
    func replaceDeadlines(with new: LifecycleSettings) {
        currentSettings.withLock { settings in
            settings.drainTimeout = new.drainTimeout
            settings.drainLimit = new.drainLimit
            settings.drainDelay = new.drainDelay
            settings.drainWindow = new.drainWindow
            settings.upgradeTimeout = new.upgradeTimeout
        }
    }

    func log(_ text: String) { settings.log(text) }
    func warn(_ text: String) { settings.warn(text) }

    // MARK: Its way

    /// Take over or be activated, start, serve, and return when the server has ended. `Signals.block` comes first.
    /// - Parameter start: binds what is not inherited and starts the server. When it throws, a server before this one
    ///   goes on.
    func run(_ places: [ListenerPlace], start: (Inheritance) throws -> Served) throws -> ServerExit {
        let served = try begin(places, start)
        serve(served)
        Signals.watch { self.obey($0) }
        let exit = served.server.waitForEnd()
        end()
        return exit
    }

    /// Everything up to the moment when this process, and no other, answers for the service.
    func begin(_ places: [ListenerPlace], _ start: (Inheritance) throws -> Served) throws -> Served {
        let source = TakeoverSource(path: settings.upgradeFrom, environment: environment)
        // Children of this process, the successor among them, must not take these for their own.
        (SocketActivation.variables + [TakeoverSource.variable]).forEach { unsetenv($0) }
        let takeover = try translated { try source.map { try Takeover(from: $0) } }
        let served: Served
        do {
            let inheritance = try inheritance(for: places, from: takeover)
            inherited.withLock { $0 = inheritance }
            inheritance.remarks.forEach(log)
            served = try start(inheritance)
        } catch {
            takeover?.fail(because: ServerLifecycle.reason(for: error))
            throw error
        }
        if let takeover { try finish(takeover, served) }
        return served
    }

    private func inheritance(for places: [ListenerPlace], from takeover: Takeover?) throws -> Inheritance {
        try translated {
            if let takeover {
                return try takeover.takeListeners(for: places, processID: processID, program: Version.number)
            }
            let activation = try SocketActivation(environment: environment, processID: processID)
            return try activation?.inheritance(for: places) ?? Inheritance()
        }
    }

    /// Prove that the server is ready, and have the one before it let go.
    private func finish(_ takeover: Takeover, _ served: Served) throws {
        do {
            try translated { () throws in
                try awaitReadiness(of: served)
                try takeover.finish(processID: processID)
            }
        } catch {
            takeover.fail(because: ServerLifecycle.reason(for: error))
            // The other server goes on with the sockets and their paths; whoever came here is served to the end.
            served.server.releaseListeners()
            served.server.drain(timeout: settings.drainTimeout, over: nil)
            _ = served.server.waitForEnd()
            throw error
        }
    }

    private func awaitReadiness(of served: Served) throws(HandOverError) {
        let pauseMicroseconds: UInt32 = 20_000
        // Of the other server's patience: the reasons arrive before it has run out.
        let deadline = Deadline(after: settings.upgradeTimeout / 2)
        while true {
            let reasons = served.unreadiness()
            if reasons.isEmpty { return }
            guard deadline.milliseconds > 0 else { throw .system("not ready: \(reasons.joined(separator: "; "))") }
            usleep(pauseMicroseconds)
        }
    }

    /// It serves: say so to all who asked to be told.
    func serve(_ served: Served) {
        self.served.withLock { $0 = served }
        state.withLock { $0.beginServing() }
        if let path = settings.pidFilePath, let complaint = PIDFile(path: path, processID: processID).write() {
            warn(complaint)
        }
        openUpgradeSocket()
        notify.tell(.ready, .status("serving"))
        startBeating(served)
        served.onServing()
    }

    func end() {
        let hasHandedOver = state.withLock { state in
            state.end()
            return state.hasHandedOver
        }
        upgradeSocket.withLock { $0?.close() }
        // After a hand-over the successor writes it, at any moment from then on.
        if !hasHandedOver, let path = settings.pidFilePath { PIDFile(path: path, processID: processID).removeIfOurs() }
    }

    // MARK: Telling the service manager

    private func startBeating(_ served: Served) {
        guard notify.isOn else { return }
        let watchdog = Watchdog(environment: environment, processID: processID)
        Thread.detachNewThread {
            var beat = Beat(watchdog: watchdog)
            var wasLive = true
            while self.phase != .ended, self.notify.isOn {
                let isLive = served.isLive()
                if wasLive != isLive { self.warn(isLive ? "every loop ticks again" : "a loop stands still") }
                wasLive = isLive
                beat.remark = self.remark.withLock { $0 }
                let seconds = ProcessInfo.processInfo.systemUptime
                let totals = served.server.totals
                self.notify.tell(beat.next(isLive: isLive, phase: self.phase, totals: totals, seconds: seconds))
                Thread.sleep(forTimeInterval: beat.interval.seconds)
            }
        }
    }
}

// MARK: - Errors

extension ServerLifecycle {
    /// Errors of this folder, with the codes they leave with.
    private func translated<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ActivationError {
            throw Failure(.invalidConfiguration, "apus: \(error)")
        } catch let error as HandOverError {
            throw Failure(.runtimeFailure, "apus: take-over: \(error)")
        }
    }

    /// For the log of another process.
    private static func reason(for error: any Error) -> String {
        let message = Failure(error)?.message ?? "\(error)"
        return message.hasPrefix("apus: ") ? String(message.dropFirst("apus: ".count)) : message
    }
}
