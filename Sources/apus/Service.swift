// The server in its process: what is logged, exported, watched and obeyed around it. Signals, the control socket and
// changed files all come in here; connections never do.

import ApusConfiguration
import ApusLogging
import ApusServer
import Foundation
import Glibc
import Logging
import Synchronization

final class Service: Sendable {
    static let label = "apus"

    private let served: ServedConfiguration
    private let logs: Logs
    private let lifecycle: ServerLifecycle
    private let exporter = Mutex<OTLPExporter?>(nil)
    private let watch = Mutex<FileWatch?>(nil)
    /// Set once, when it has started.
    private let handle = Mutex<ServerHandle?>(nil)
    private let startUnixNanoseconds = UInt64(Date().timeIntervalSince1970 * 1e9)
    /// Of the files with secrets when they were read last.
    private let stamps: Mutex<FileStamps>

    init(_ served: ServedConfiguration, _ logs: Logs, takingOverFrom predecessor: String?) {
        self.served = served
        self.logs = logs
        // Taking over may last; whoever replaces a file meanwhile is noticed.
        stamps = Mutex(FileStamps(of: served.filesWithSecrets))
        let logger = logs.logger(Service.label)
        var settings = LifecycleSettings(from: served.configuration, takingOverFrom: predecessor)
        settings.log = { logger.notice("\($0)") }
        settings.warn = { logger.warning("\($0)") }
        lifecycle = ServerLifecycle(settings)
    }

    /// Start the server, and return when it has ended.
    /// - Parameter announce: told once it accepts.
    func run(_ prepared: PreparedConfiguration, announce: (ServerHandle) throws -> Void) throws -> ServerExit {
        let places = prepared.server.listeners.map { ListenerPlace(name: $0.name, address: $0.address) }
        let exit = try lifecycle.run(places) { inheritance in
            let handle = try start(prepared.server, inheritance)
            try announce(handle)
            begin(handle)
            return beServed(handle)
        }
        endWatch()
        // Not under the lock: the last export reads the exporter's own metrics.
        takeExporter(nil)?.stop()
        return exit
    }

    private func start(_ configuration: ServerConfiguration, _ inheritance: Inheritance) throws -> ServerHandle {
        var server = configuration
        server.inherit(inheritance)
        server.eventSink = ServerEventLog(logs)
        server.admin.control = { [self] command in obey(command) }
        server.admin.logRecordsDropped = { [self] in
            logs.droppedCount + (handle.withLock { $0 }?.metrics.eventsLost ?? 0)
        }
        server.admin.moreFamilies = { [self] in exporter.withLock { $0 }?.families ?? [] }
        return try Server(server).start()
    }

    private func begin(_ handle: ServerHandle) {
        self.handle.withLock { $0 = handle }
        export(as: ExportSettings(from: served.configuration), from: handle)
    }

    private func beServed(_ handle: ServerHandle) -> Served {
        let reload: @Sendable () -> ReloadAnswer = { [self] in self.reload(handle) }
        return Served(
            server: handle, reload: reload, reopenLogs: { [logs] in logs.reopen() },
            // Not before: a change that is noticed while it starts could not be taken, and would not be noticed again.
            onServing: { [self] in watchFiles() },
            onDraining: { [self] in
                handle.withdrawReadiness("draining")
                endWatch()
            },
            dump: { [logs] in StateDump(of: handle).log(to: logs.logger(Service.label)) },
            isLive: { handle.health.isLive }, unreadiness: { handle.health.reasons })
    }
}

// MARK: Commands

extension Service {
    private func obey(_ command: ControlCommand) -> ControlAnswer {
        switch command {
        case .reload:
            return switch lifecycle.reload() {
            case .applied(let text): ControlAnswer(.done, text)
            case .refused(let text): ControlAnswer(.refused, text)
            }
        case .drain(let timeout):
            return answer(lifecycle.drain(timeout.map { .within($0) } ?? .patient))
        case .logLevel(let name):
            guard logs.setLevel(named: name) else { return ControlAnswer(.refused, "no such level: \(name)") }
            return ControlAnswer(.done, "log level \(name)")
        }
    }

    private func answer(_ drain: DrainAnswer) -> ControlAnswer {
        switch drain {
        case .began: ControlAnswer(.done, "draining")
        case .hastened: ControlAnswer(.done, "draining, with less time than before")
        case .underWay: ControlAnswer(.done, "draining already")
        case .notServing: ControlAnswer(.refused, "the server is \(lifecycle.phase), not serving")
        }
    }
}

// MARK: Reload

extension Service {
    /// Everything that a reload changes, or nothing: whether logs can be opened is tried first, since that may fail,
    /// and they change when the server has agreed.
    private func reload(_ handle: ServerHandle) -> ReloadAnswer {
        do {
            let stamps = FileStamps(of: served.filesWithSecrets)
            let next = try served.prepare()
            let logging = LogSettings(LoggingSettings(from: next.configuration))
            let isLoggedOtherwise = logging != LogSettings(LoggingSettings(from: served.configuration))
            if isLoggedOtherwise { try logs.tryOut(logging) }
            let answer = try take(next, handle, stamps)
            if isLoggedOtherwise { try logs.apply(logging) }
            return answer
        } catch {
            // The server counts what it refused itself.
            if !(error is ServerError) { handle.countReload(isApplied: false) }
            return .refused("refused, the old configuration stays:\n\(error)")
        }
    }

    private func take(
        _ next: PreparedConfiguration, _ handle: ServerHandle, _ stamps: FileStamps
    ) throws -> ReloadAnswer {
        var server = next.server
        server.keepPaths(of: lifecycle.inheritance)
        let outcome = try handle.reload(server)
        let report = ReloadReport(
            from: served.configuration, to: next.configuration, startedWith: served.started,
            needingRestart: Set(outcome.needsRestart))
        let exports = ExportSettings(from: served.configuration)
        served.adopt(next)
        lifecycle.replaceDeadlines(with: LifecycleSettings(from: next.configuration))
        if ExportSettings(from: next.configuration) != exports {
            export(as: ExportSettings(from: next.configuration), from: handle)
        }
        self.stamps.withLock { $0 = stamps.adding(served.filesWithSecrets) }
        watchFiles()
        let warnings = next.warnings.map { "\($0)" }
        let logger = logs.logger(Service.label)
        warnings.forEach { logger.warning("\($0)") }
        return .applied(([report.text] + warnings).joined(separator: "\n"))
    }
}

extension ReloadReport {
    /// `applied: server.idle_timeout; needs restart: server.shards`
    fileprivate var text: String {
        let outcomes = ReloadReport.Outcome.allCases.filter { $0 != .unchanged }
        let parts = outcomes.compactMap { outcome in
            let paths = changed.filter { $0.outcome == outcome }.map(\.path)
            return paths.isEmpty ? nil : "\(outcome.rawValue): \(paths.joined(separator: ", "))"
        }
        return parts.isEmpty ? "nothing changed but what files hold" : parts.joined(separator: "; ")
    }
}

// MARK: Exports

extension Service {
    private func export(as settings: ExportSettings?, from handle: ServerHandle) {
        let new = settings.flatMap { makeExporter($0, handle) }
        // Its last export may wait for a collector that does not answer; a reload does not.
        if let old = takeExporter(new) { Thread.detachNewThread { old.stop() } }
        new?.start()
    }

    /// - Returns: the one before.
    private func takeExporter(_ new: OTLPExporter?) -> OTLPExporter? {
        exporter.withLock { exporter in
            defer { exporter = new }
            return exporter
        }
    }

    private func makeExporter(_ settings: ExportSettings, _ handle: ServerHandle) -> OTLPExporter? {
        let logger = logs.logger(Service.label)
        do throws(CollectorAddress.Problem) {
            var otlp = OTLPSettings(address: try CollectorAddress(parsing: settings.address))
            otlp.interval = settings.interval
            otlp.timeout = settings.timeout
            otlp.attributes = settings.attributes.map { MetricLabel($0.name, $0.value) }
            return OTLPExporter(
                otlp, version: Version.number, instance: "\(ProcessInfo.processInfo.hostName):\(getpid())",
                startUnixNanoseconds: startUnixNanoseconds, collect: { handle.metricFamilies },
                complain: { logger.warning("\($0)") })
        } catch {
            logger.error("metrics are not exported: \(error)")
            return nil
        }
    }
}

// MARK: Files that change

extension Service {
    /// Certificates, keys and secrets are read again when they are replaced, as by a client of ACME.
    private func watchFiles() {
        let paths = served.filesWithSecrets
        let logger = logs.logger(Service.label)
        let known = stamps.withLock { $0 }
        watch.withLock { watch in
            // A server that drains begins no handshakes worth new keys.
            if watch?.paths == paths || lifecycle.phase == .draining { return }
            watch?.end()
            watch = paths.isEmpty ? nil : FileWatch(
                paths, known: known,
                complain: { logger.warning("\($0)") },
                changed: { [self] in
                    logger.notice("a certificate, key or secret has changed: reloading")
                    tell(lifecycle.reload(), logger)
                })
        }
    }

    private func endWatch() {
        watch.withLock { watch in
            watch?.end()
            watch = nil
        }
    }

    private func tell(_ answer: ReloadAnswer, _ logger: Logger) {
        switch answer {
        case .applied(let text): logger.notice("reload: \(text)")
        case .refused(let text): logger.error("reload refused: \(text)")
        }
    }
}

extension ServedConfiguration {
    /// What a reload reads besides the configuration.
    fileprivate var filesWithSecrets: Set<String> {
        Set(configuration.listeners.flatMap(\.filesWithSecrets) + configuration.relaySecretFiles.map(\.path))
    }
}

extension Listener {
    fileprivate var filesWithSecrets: [String] {
        [
            self[TLSKeys.certificate], self[TLSKeys.key], self[TLSKeys.authority],
            self[HandshakeKeys.presharedKeyFile], self[HandshakeKeys.identityFile],
        ].compactMap(\.self)
    }
}

extension LogSettings {
    init(_ settings: LoggingSettings) {
        self.init()
        level = Logger.Level(name: settings.level) ?? .info
        console = settings.writesToConsole
        file = settings.filePath
        json = settings.isJSON
        appName = settings.appName
        repeatsPerSecondMax = settings.repeatsPerSecondMax
    }
}
