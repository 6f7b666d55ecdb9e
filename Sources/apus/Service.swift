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

    init(_ served: ServedConfiguration, _ logs: Logs, takingOverFrom predecessor: String?) {
        self.served = served
        self.logs = logs
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
        watch.withLock { $0?.end() }
        exporter.withLock { $0?.stop() }
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
        watchFiles()
    }

    private func beServed(_ handle: ServerHandle) -> Served {
        let reload: @Sendable () -> ReloadAnswer = { [self] in self.reload(handle) }
        return Served(
            server: handle, reload: served.hasFile ? reload : nil, reopenLogs: { [logs] in logs.reopen() },
            onDraining: { handle.withdrawReadiness("draining") }, dump: { StateDump(of: handle).text },
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
    /// Everything that a reload changes, or nothing: logs are opened first, since that may fail, and go back to what
    /// they were when the server refuses.
    private func reload(_ handle: ServerHandle) -> ReloadAnswer {
        let before = LogSettings(LoggingSettings(from: served.configuration))
        do {
            let (next, _) = try served.prepare()
            let logging = LogSettings(LoggingSettings(from: next.configuration))
            if logging != before { try logs.apply(logging) }
            do {
                return try take(next, handle)
            } catch {
                if logging != before { try logs.apply(before) }
                throw error
            }
        } catch {
            // The server counts what it refused itself.
            if !(error is ServerError) { handle.countReload(isApplied: false) }
            return .refused("the old configuration stays:\n\(error)")
        }
    }

    private func take(_ next: PreparedConfiguration, _ handle: ServerHandle) throws -> ReloadAnswer {
        var server = next.server
        server.keepPaths(of: lifecycle.inheritance)
        let outcome = try handle.reload(server)
        let report = ReloadReport(
            from: served.configuration, to: next.configuration, needingRestart: Set(outcome.needsRestart))
        let exports = ExportSettings(from: served.configuration)
        served.adopt(next)
        lifecycle.replaceDeadlines(with: LifecycleSettings(from: next.configuration))
        if ExportSettings(from: next.configuration) != exports {
            export(as: ExportSettings(from: next.configuration), from: handle)
        }
        watchFiles()
        return .applied(report.text)
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
        let old = exporter.withLock { exporter in
            defer { exporter = new }
            return exporter
        }
        old?.stop()
        new?.start()
    }

    private func makeExporter(_ settings: ExportSettings, _ handle: ServerHandle) -> OTLPExporter? {
        let logger = logs.logger(Service.label)
        do throws(CollectorAddress.Problem) {
            var otlp = OTLPSettings(address: try CollectorAddress(parsing: settings.address))
            otlp.interval = settings.interval
            otlp.timeout = settings.timeout
            otlp.attributes = settings.attributes.map { MetricLabel($0.name, $0.value) }
            return OTLPExporter(
                otlp, version: Version.number, instance: ProcessInfo.processInfo.hostName,
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
        guard served.hasFile else { return }
        let paths = served.configuration.listeners.flatMap(\.filesWithSecrets)
        let logger = logs.logger(Service.label)
        watch.withLock { watch in
            if watch?.paths == Set(paths) { return }
            watch?.end()
            watch = paths.isEmpty ? nil : FileWatch(
                Set(paths),
                complain: { logger.warning("\($0)") },
                changed: { [self] in
                    logger.notice("a certificate, key or secret has changed: reloading")
                    tell(lifecycle.reload(), logger)
                })
        }
    }

    private func tell(_ answer: ReloadAnswer, _ logger: Logger) {
        switch answer {
        case .applied(let text): logger.notice("reload: \(text)")
        case .refused(let text): logger.error("reload refused: \(text)")
        }
    }
}

extension Listener {
    /// What a reload reads besides the configuration.
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
