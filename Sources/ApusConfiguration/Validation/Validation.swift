// What is wrong between values, or with what they name. Single values were checked when they were read. It looks at the
// file system only to see whether a log file's folder is there.

import Foundation

extension Configuration {
    /// Every error and warning; empty when all is well.
    public func validate() -> [Problem] {
        let listeners = listeners
        return listenerProblems(listeners) + listeners.flatMap(\.problems) + transportProblems(listeners)
            + relayProblems(listeners) + loggingProblems + operationProblems + unusedSecurityProblems(listeners)
    }

    /// - Throws: every error and every warning.
    public func validateStrict() throws(ConfigurationError) {
        let problems = validate()
        guard problems.isEmpty else { throw ConfigurationError(problems) }
    }

    // MARK: Listeners

    private static let listenerCountMax = 64

    private func listenerProblems(_ listeners: [Listener]) -> [Problem] {
        var problems: [Problem] = []
        if listeners.count > Configuration.listenerCountMax {
            let most = Configuration.listenerCountMax
            problems.append(
                Problem(.error, listeners[most].origin, "listener", "at most \(most), found \(listeners.count)"))
        }
        problems += repeated(listeners, ListenerKeys.name.option) { $0.name }
        // A port 0 is another one each time.
        let fixed = listeners.filter { !$0.address.hasSuffix(":0") && !$0.address.isEmpty }
        problems += repeated(fixed, ListenerKeys.address.option) { $0.address }
        if isSet(ServerKeys.address.option), overrides.relay != nil || writtenListeners.contains(where: \.isServing) {
            problems.append(
                Problem(
                    .error, origin(of: ServerKeys.address), ServerKeys.address.option.path,
                    "of no effect beside a [[listener]], which has its own address: leave one of them out"))
        }
        return problems
    }

    private func repeated(
        _ listeners: [Listener], _ option: OptionRow, _ value: (Listener) -> String
    ) -> [Problem] {
        var first: [String: Listener] = [:]
        return listeners.compactMap { listener in
            let own = value(listener)
            guard let earlier = first[own] else {
                first[own] = listener
                return nil
            }
            let place = earlier.origin == .standard ? "listener \(earlier.name)" : "\(earlier.origin)"
            let reason = "\(own) is taken by \(place): no two listeners may have the same"
            let origin = listener.setting(of: option).origin
            return Problem(.error, origin == .standard ? listener.origin : origin, option.path, reason)
        }
    }

    // MARK: Transport

    private func transportProblems(_ listeners: [Listener]) -> [Problem] {
        var problems: [Problem] = []
        let packet = listeners.filter { $0.speaks == .packet }
        let enabled = TransportKeys.compressionEnabled
        if self[enabled], !packet.contains(where: { $0.security == .handshake }) {
            problems.append(
                Problem(
                    .error, origin(of: enabled), enabled.option.path,
                    "it is agreed on in NPRO's handshake, and there is none: leave it out, or use security handshake"))
        }
        if isSet(enabled.option), !self[enabled], !self[HandshakeKeys.compression].isEmpty,
            origin(of: enabled).isSameSource(as: origin(of: HandshakeKeys.compression)) {
            problems.append(
                Problem(
                    .error, origin(of: HandshakeKeys.compression), HandshakeKeys.compression.option.path,
                    "transport.compression_enabled = false says the opposite: change one of them"))
        }
        if self[TransportKeys.compressionThreshold] > self[TransportKeys.maxPayloadSize] {
            problems.append(
                Problem(
                    .error, origin(of: TransportKeys.compressionThreshold),
                    TransportKeys.compressionThreshold.option.path,
                    "above transport.max_payload_size, so nothing would be packed: lower it"))
        }
        return problems + takenLower
    }

    /// Bounds that NPRO's first implementation has and this one does not reach.
    private var takenLower: [Problem] {
        let lower = [(TransportKeys.compressionLevel, 19), (ServerKeys.backpressureLimit, 4096)]
        return lower.filter { self[$0.0] > $0.1 }.map { key, most in
            Problem(.warning, origin(of: key), key.option.path, "\(self[key]) counts as \(most): write that")
        }
    }

    // MARK: Logging

    private var loggingProblems: [Problem] {
        var problems: [Problem] = []
        let path = LoggingKeys.filePath
        if !self[LoggingKeys.toConsole], !self[LoggingKeys.toFile] {
            problems.append(
                Problem(
                    .error, origin(of: LoggingKeys.toConsole), LoggingKeys.toConsole.option.path,
                    "nothing would be logged anywhere: turn log_to_console or log_to_file on"))
        }
        guard self[LoggingKeys.toFile] else {
            guard let file = self[path] else { return problems }
            let reason = "\(file) stays empty: set log_to_file = true, or leave it out"
            return problems + [Problem(.warning, origin(of: path), path.option.path, reason)]
        }
        guard let file = self[path] else {
            let reason = "needs log_file_path: name the file, or turn it off"
            let option = LoggingKeys.toFile
            return problems + [Problem(.error, origin(of: option), option.option.path, reason)]
        }
        let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
        if !FileManager.default.fileExists(atPath: folder) {
            let reason = "\(folder) does not exist: make it, or name another"
            problems.append(Problem(.error, origin(of: path), path.option.path, reason))
        }
        return problems
    }

    // MARK: Admin, metrics, client

    private var operationProblems: [Problem] {
        var problems: [Problem] = []
        if self[AdminKeys.enabled], self[AdminKeys.address] == nil, self[AdminKeys.controlSocket] == nil {
            problems.append(
                Problem(
                    .warning, origin(of: AdminKeys.enabled), AdminKeys.enabled.option.path,
                    "address and control_socket are off, so nothing is served: turn one on"))
        }
        if let socket = self[AdminKeys.controlSocket], !socket.hasPrefix("unix:") {
            problems.append(
                Problem(
                    .error, origin(of: AdminKeys.controlSocket), AdminKeys.controlSocket.option.path,
                    "who may open the socket may control the server: write unix:PATH, or off"))
        }
        if self[MetricsKeys.otlpTimeout] > self[MetricsKeys.otlpInterval] {
            problems.append(
                Problem(
                    .warning, origin(of: MetricsKeys.otlpTimeout), MetricsKeys.otlpTimeout.option.path,
                    "longer than metrics.otlp_interval, so exports are skipped: lower it"))
        }
        return problems
    }

    // MARK: Security that protects nobody

    /// A setting about security that no listener heeds makes people believe that they are protected.
    private func unusedSecurityProblems(_ listeners: [Listener]) -> [Problem] {
        let spoken = Set(listeners.map(\.security.rawValue))
        return OptionTable.all.filter { $0.isListenerOverridable && isSet($0) && !spoken.contains($0.section.rawValue) }
            .map { option in
                let reason = "of no effect: no listener has security \(option.section.rawValue)"
                return Problem(.warning, setting(of: option).origin, option.path, reason)
            }
    }
}

extension WrittenListener {
    /// Peers, and not only those who look at the server.
    fileprivate var isServing: Bool {
        let admin = SettingValue.text(ListenerProtocol.admin.rawValue)
        return settings[ListenerKeys.protocol.option.name].map { $0.value != admin } ?? true
    }
}

extension Origin {
    fileprivate func isSameSource(as other: Origin) -> Bool {
        switch (self, other) {
        case (.file, .file), (.environment, .environment), (.flag, .flag), (.standard, .standard): true
        case (.file, _), (.environment, _), (.flag, _), (.standard, _): false
        }
    }
}
