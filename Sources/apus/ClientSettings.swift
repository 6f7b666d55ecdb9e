// What a verb that talks to a server is told: the section `client`, `transport`, and flags about security.

import ApusClient
import ApusCompression
import ApusConfiguration
import ApusSecurity

struct ClientSettings: Sendable {
    /// Attempts to make a lost connection again.
    struct Reconnection: Equatable, Sendable {
        let attemptsMax: Int
        let delay: Duration
    }

    let address: String
    let client: ClientConfiguration
    /// Nil: a lost connection is the end.
    let reconnection: Reconnection?

    init(from configuration: Configuration, _ security: ClientSecurityOptions) throws {
        address = configuration[ClientKeys.address]
        let standard: SecurityArgument = configuration[TransportKeys.encryptionEnabled] ? .handshake : .none
        let protection = try security.clientSecurity(standard: standard)
        client = ClientConfiguration(
            from: configuration, protection, compression: security.handshake.compression?.algorithms)
        reconnection = configuration[ClientKeys.autoReconnect]
            ? Reconnection(
                attemptsMax: configuration[ClientKeys.maxReconnectAttempts],
                delay: configuration[ClientKeys.reconnectDelay])
            : nil
    }

    func connect() async throws(ClientError) -> Client {
        try await Client.connect(to: address, configuration: client)
    }
}

extension ClientConfiguration {
    /// - Parameter compression: what a flag names; nil: what the configuration says.
    init(from configuration: Configuration, _ protection: ClientSecurity?, compression given: [CompressionAlgorithm]?) {
        self.init()
        security = protection
        connectionTimeout = configuration[ClientKeys.connectionTimeout]
        responseTimeout = configuration[ClientKeys.responseTimeout]
        operationTimeout = configuration[ClientKeys.operationTimeout]
        heartbeatInterval = configuration[ClientKeys.heartbeatInterval]
        payloadByteCountMax = configuration[TransportKeys.maxPayloadSize]
        compression = CompressionSettings(named: offered(by: configuration), in: configuration)
        if let given { compression.algorithms = given }
    }

    /// Only a handshake can agree on any.
    private func offered(by configuration: Configuration) -> [String] {
        guard case .handshake = security, configuration[TransportKeys.compressionEnabled] else { return [] }
        let named = configuration[HandshakeKeys.compression]
        return named.isEmpty ? ["lz4", "zstd"] : named
    }
}

/// A connection that is made again when it is lost, for requests that may be made twice.
struct SteadyConnection {
    private let settings: ClientSettings
    private(set) var client: Client
    /// Since the last reply.
    private var attempts = 0

    /// A server that cannot be reached in the first place is an error at once.
    init(_ settings: ClientSettings) async throws(ClientError) {
        self.settings = settings
        client = try await settings.connect()
    }

    mutating func request(_ message: Client.Message) async throws -> Client.Message {
        while true {
            do throws(ClientError) {
                let reply = try await client.request(message)
                attempts = 0
                return reply
            } catch {
                try await reconnect(after: error)
            }
        }
    }

    /// - Throws: the loss itself, when it is none that a new connection mends or the attempts are used up.
    private mutating func reconnect(after loss: ClientError) async throws {
        guard let reconnection = settings.reconnection, loss.isLoss else { throw loss }
        while attempts < reconnection.attemptsMax {
            attempts += 1
            Output.complain("apus: \(loss); connecting again, attempt \(attempts) of \(reconnection.attemptsMax)")
            try await Task.sleep(for: reconnection.delay)
            do throws(ClientError) {
                client = try await settings.connect()
                return
            } catch {
                guard attempts < reconnection.attemptsMax else { throw error }
            }
        }
        throw loss
    }
}

extension ClientError {
    /// There was a connection, and it is gone.
    fileprivate var isLoss: Bool {
        switch self {
        case .closedByServer, .connectionLost, .unresponsive: true
        case .invalidAddress, .invalidConfiguration, .connectionRefused, .cannotConnect, .timeout, .violation,
            .insecure, .tooLarge, .overloaded, .unreadMessages, .closed, .cancelled, .tooManyClients, .hostNotFit:
            false
        }
    }
}
