// From a configuration to what the server is asked to be: a function of values and of the files that they name, so that
// a reload calls it again. It starts nothing and prints nothing.

import ApusCompression
import ApusConfiguration
import ApusSecurity
import ApusServer

/// - Throws: `ConfigurationError` with everything that is wrong with files that the configuration names, each at the
///   place that names it.
func serverConfiguration(from configuration: Configuration) throws(ConfigurationError) -> ServerConfiguration {
    var problems: [Problem] = []
    let listeners = configuration.listeners.compactMap { listener in
        do throws(ConfigurationError) {
            return try listenerConfiguration(from: listener)
        } catch {
            problems += error.problems
            return nil
        }
    }
    var relay: RelayConfiguration?
    do throws(ConfigurationError) {
        relay = try RelayConfiguration(from: configuration)
    } catch {
        problems += error.problems
    }
    guard problems.isEmpty else { throw ConfigurationError(problems) }
    var server = ServerConfiguration(listeners: listeners)
    server.relay = relay
    server.takeLimits(from: configuration)
    server.takeTimes(from: configuration)
    server.takeDefences(DefenceSettings(from: configuration))
    server.takeAdmin(AdminLimits(from: configuration))
    server.unknownCommand = UnknownCommand(rawValue: configuration[ServerKeys.unknownCommand]) ?? .silence
    server.systemAliases = configuration[ServerKeys.systemAliases]
    // Its own rules come last: bounds that depend on one another.
    let others = server.problems().map { Problem(.error, .standard, "", $0) }
    guard others.isEmpty else { throw ConfigurationError(others) }
    return server
}

extension ServerConfiguration {
    fileprivate mutating func takeLimits(from configuration: Configuration) {
        shards = configuration[ServerKeys.shards] ?? UsableCores.count
        maxConnections = configuration[ServerKeys.maxConnections]
        backpressureLimit = min(configuration[ServerKeys.backpressureLimit], 4096)
        outstandingByteCountMax = configuration[ServerKeys.maxOutstandingBytes]
        memoryBudgetPerShard = configuration[ServerKeys.memoryBudget]
        payloadByteCountMax = configuration[TransportKeys.maxPayloadSize]
        handshakesPerSecondMax = configuration[ServerKeys.maxHandshakeRate]
        handshakesAtOncePerShard = configuration[ServerKeys.maxHandshakesAtOnce]
    }

    fileprivate mutating func takeTimes(from configuration: Configuration) {
        firstByteTimeout = configuration[ServerKeys.connectionTimeout]
        stalledWriteTimeout = configuration[ServerKeys.connectionTimeout]
        handshakeTimeout = configuration[ServerKeys.handshakeTimeout]
        idleTimeout = configuration[ServerKeys.idleTimeout]
        heartbeatInterval = configuration[ServerKeys.heartbeatInterval]
        shutdownTimeout = configuration[ServerKeys.shutdownTimeout]
    }
}

extension ServerConfiguration {
    fileprivate mutating func takeDefences(_ settings: DefenceSettings) {
        slowPeerGrace = settings.slowPeerGrace
        peerByteRateMin = settings.peerByteRateMin
        controlRateMax = settings.controlRateMax
        addressLimits.connectionsMax = settings.connectionsMax
        addressLimits.connectionsPerSecondMax = settings.connectionsPerSecondMax
        addressLimits.connectionBurstMax = settings.connectionBurstMax
        addressLimits.trustedNetworks = settings.trustedNetworks
        addressLimits.isLoopbackTrusted = settings.isLoopbackTrusted
    }

    fileprivate mutating func takeAdmin(_ limits: AdminLimits) {
        admin.allowedHosts = limits.allowedHosts
        admin.requestTimeout = limits.requestTimeout
        admin.idleTimeout = limits.idleTimeout
        admin.stallLimit = limits.stallLimit
        admin.version = Version.number
    }
}

// MARK: Listeners

private func listenerConfiguration(from listener: Listener) throws(ConfigurationError) -> ListenerConfiguration {
    var result = ListenerConfiguration(
        name: listener.name, address: listener.address, session: sessionKind(of: listener),
        security: try security(of: listener))
    let sockets = SocketSettings(from: listener)
    result.sendBufferByteCount = sockets.sendBufferByteCount
    result.notSentByteCountMax = sockets.notSentByteCountMax
    result.userTimeout = sockets.userTimeout
    result.proxyProtocol = listener[ListenerKeys.proxyProtocol]
    result.adminPaths = AdminScope(rawValue: listener[ListenerKeys.answers]) ?? .all
    return result
}

private func sessionKind(of listener: Listener) -> SessionKind {
    switch listener.speaks {
    case .packet: listener[ListenerKeys.session] == "packet" ? .packet : .message
    case .relay: .relay
    case .admin: .admin
    }
}

private func security(of listener: Listener) throws(ConfigurationError) -> ListenerSecurity {
    switch listener.security {
    case .none: .none
    case .handshake: .handshake(try handshakeSettings(of: listener), compressionSettings(of: listener))
    case .tls: .tls(try tlsMaterial(of: listener))
    }
}

private func compressionSettings(of listener: Listener) -> CompressionSettings {
    let configuration = listener.configuration
    return CompressionSettings(named: listener.compression, in: configuration)
}

extension CompressionSettings {
    init(named names: [String], in configuration: Configuration) {
        self.init()
        algorithms = names.compactMap { name in CompressionAlgorithm.allCases.first { $0.description == name } }
        level = min(configuration[TransportKeys.compressionLevel], CompressionAlgorithm.zstd.levels.upperBound)
        thresholdByteCount = configuration[TransportKeys.compressionThreshold]
    }
}

private func handshakeSettings(of listener: Listener) throws(ConfigurationError) -> HandshakeSettings {
    var settings = HandshakeSettings()
    var problems: [Problem] = []
    if let path = listener[HandshakeKeys.presharedKeyFile] {
        settings.presharedKey = listener.read(path, HandshakeKeys.presharedKeyFile, SecretFile.presharedKey, &problems)
    } else if let text = listener[HandshakeKeys.presharedKey] {
        let bytes = Array(text.utf8)
        settings.presharedKey = PresharedKey(bytes.span.bytes)
    }
    if let path = listener[HandshakeKeys.identityFile] {
        settings.identity = listener.read(path, HandshakeKeys.identityFile, SecretFile.identity, &problems)
    }
    guard problems.isEmpty else { throw ConfigurationError(problems) }
    settings.pinnedPeers = pins(listener[HandshakeKeys.pins]).map(\.sha256)
    settings.allowsV1 = listener[HandshakeKeys.allowsV1]
    return settings
}

/// Their digits were checked with the option.
private func pins(_ texts: [String]) -> [CertificatePin] { texts.compactMap { CertificatePin(hex: $0) } }

extension Listener {
    /// Nil, and a problem where the file is named, when it cannot be used.
    fileprivate func read<Secret>(
        _ path: String, _ key: Key<String?>, _ reader: (String) throws(SecretFileError) -> Secret,
        _ problems: inout [Problem]
    ) -> Secret? {
        do throws(SecretFileError) {
            return try reader(path)
        } catch {
            problems.append(Problem(.error, origin(of: key), self.path(of: key), error.reason))
            return nil
        }
    }
}

// MARK: TLS

private func tlsMaterial(of listener: Listener) throws(ConfigurationError) -> TLSMaterial {
    guard let certificate = listener[TLSKeys.certificate], let key = listener[TLSKeys.key] else {
        // `validate` tells it better; who has not asked it is told here.
        let reason = "security tls needs a certificate and a key"
        throw ConfigurationError([Problem(.error, listener.origin, "listener \(listener.name)", reason)])
    }
    var settings = TLSSettings.server(certificateChain: .file(certificate), privateKey: .file(key))
    if let authority = listener[TLSKeys.authority] { settings.authorities = .pem(.file(authority)) }
    settings.clientVerification = clientVerification(listener[TLSKeys.verifyClient])
    settings.pins = pins(listener[TLSKeys.pins])
    settings.applicationProtocols = applicationProtocols(of: listener)
    settings.versionMin = listener[TLSKeys.minimumVersion] == "1.3" ? .tls13 : .tls12
    if let ciphers = listener[TLSKeys.ciphers] { settings.cipherList = ciphers }
    if let suites = listener[TLSKeys.suites] { settings.cipherSuites = suites }
    do throws(TLSConfigurationError) {
        return try TLSMaterial(settings)
    } catch {
        throw ConfigurationError(listener.problems(of: error))
    }
}

/// A WebSocket begins in HTTP/1.1, and clients that say what they speak want to hear it (relay.md §3.2).
private func applicationProtocols(of listener: Listener) -> [String] {
    let named = listener[TLSKeys.alpn]
    return named.isEmpty && listener.speaks == .relay ? ["http/1.1"] : named
}

private func clientVerification(_ text: String) -> ClientVerification {
    switch text {
    case "required": .required
    case "optional": .optional
    default: .none
    }
}

extension Listener {
    /// At the key that names what the error is about.
    fileprivate func problems(of error: TLSConfigurationError) -> [Problem] {
        let key: Key<String?> =
            switch error.subject {
            case let subject where subject.hasPrefix("private key"): TLSKeys.key
            case let subject where subject.hasPrefix("authorities"): TLSKeys.authority
            default: TLSKeys.certificate
            }
        return error.problems.map { reason in
            Problem(.error, origin(of: key), path(of: key), "\(error.subject): \(reason)")
        }
    }
}
