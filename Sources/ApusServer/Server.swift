// Where the rooms meet: bind the listeners, start one thread and one shard per core, hand out a handle. It touches no
// connection.

import ApusReactor
import ApusWire

/// Why a server did not start.
public enum ServerError: Error, CustomStringConvertible {
    /// Every mistake found in the configuration.
    case invalidConfiguration([String])
    /// A listener could not be bound: what, where, what to do.
    case cannotBind(String)
    /// This host has no io_uring that serves, or no memory: what is wrong and what to do, in one sentence.
    case hostNotFit(String)

    public var description: String {
        switch self {
        case .invalidConfiguration(let problems): problems.joined(separator: "\n")
        case .cannotBind(let problem), .hostNotFit(let problem): problem
        }
    }
}

/// A server before it starts: configure it, register handlers, start it.
///
///     var server = Server(ServerConfiguration(address: "127.0.0.1:9000"))
///     server.dispatcher.register(command: "TIME") { message, context, reply in … }
///     let handle = try server.start()
///     handle.wait()
public struct Server: Sendable {
    public var configuration: ServerConfiguration
    /// Who answers what; frozen by `start`. PING and ECHO are answered without being registered.
    public var dispatcher = Dispatcher()

    public init(_ configuration: ServerConfiguration) { self.configuration = configuration }

    /// Bind all listeners and start all shards. The process's descriptor limit is raised as far as it may be, and where
    /// it is lower than `maxConnections` asks for, it bounds the connections. When it returns, connections are
    /// accepted; when it throws, nothing is left behind.
    public func start() throws(ServerError) -> ServerHandle {
        let problems = configuration.problems()
        guard problems.isEmpty else {
            for listener in configuration.listeners {
                listener.inherited.forEach { closeDescriptor(Descriptor($0)) }
            }
            throw .invalidConfiguration(problems)
        }
        let table = try ListenerTable(opening: configuration)
        do throws(ServerError) {
            return try start(table)
        } catch {
            table.close()
            throw error
        }
    }

    private func start(_ table: ListenerTable) throws(ServerError) -> ServerHandle {
        var configuration = configuration
        let (descriptors, listenerCount) = (raiseDescriptorLimit(), configuration.listeners.count)
        let reserved = Limits.connectionsReserved(
            for: configuration.maxConnections, descriptors: descriptors, listeners: listenerCount,
            shards: configuration.shards)
        configuration.maxConnections = min(configuration.maxConnections, reserved)
        let tier: RingTier
        do throws(RingUnavailable) {
            if let asked = configuration.ringTier { tier = asked } else { tier = try RingTier.fromEnvironment() }
        } catch {
            throw .hostNotFit(error.description)
        }
        let (shared, inboxes) = try openShared(configuration)
        shared.vitals.directory.replace(with: table.records)
        let threads = try startShards(configuration, table, shared, inboxes, tier, connectionsReserved: reserved)
        let live = LiveConfiguration(configuration, table, connectionsReserved: reserved, shared)
        do throws(SystemError) {
            return try ServerHandle(live, shared, inboxes, threads)
        } catch {
            inboxes.forEach { _ = $0.post(.stop) }
            threads.forEach { $0.join() }
            throw .hostNotFit(error.description)
        }
    }

    private func openShared(
        _ configuration: ServerConfiguration
    ) throws(ServerError) -> (SharedState, [Inbox<ShardEvent>]) {
        // Every asynchronous reply has a place, so none is lost while its shard lives; pushes are limited by
        // `SharedState`.
        let countMax = Limits.asyncRequestsMax + SharedState.pushesMax + 1024
        var inboxes: [Inbox<ShardEvent>] = []
        do throws(SystemError) {
            for _ in 0..<configuration.shards { inboxes.append(try Inbox(countMax: countMax)) }
            return (
                try SharedState(
                    shardCount: configuration.shards, connectionsMax: configuration.maxConnections,
                    handshakesPerSecond: configuration.isHandshakeSpoken ? configuration.handshakesPerSecondMax : 1,
                    mailSizes: configuration.mailSizes,
                    events: try ServerEvents(
                        sink: configuration.eventSink, shardCount: configuration.shards,
                        listenerNames: configuration.listeners.map(\.name))),
                inboxes
            )
        } catch {
            throw .hostNotFit(error.description)
        }
    }

    /// All shards run, or none does; only shards that run own what they accept on.
    private func startShards(
        _ configuration: ServerConfiguration, _ table: ListenerTable, _ shared: SharedState,
        _ inboxes: [Inbox<ShardEvent>], _ tier: RingTier, connectionsReserved: Int
    ) throws(ServerError) -> [ThreadHandle] {
        var threads: [ThreadHandle] = []
        var starts: [ShardStart] = []
        var acceptors: [[ShardListener]] = []
        let desk = AdminDesk(shared, configuration.admin, inboxes)
        do throws(SystemError) {
            acceptors = try table.handOut(to: configuration.shards)
            ListenerTable.count(acceptors, in: shared)
            for index in 0..<configuration.shards {
                var settings = ShardSettings(
                    configuration, dispatcher, index: UInt8(index), shared: shared, inbox: inboxes[index])
                settings.limits.connections = connectionsReserved + Limits.adminConnectionsMax
                settings.admin = desk
                let start = ShardStart(settings, acceptors[index], tier)
                starts.append(start)
                threads.append(try LoopThread.start(name: "apus-shard-\(index)") { start.runShard() })
            }
        } catch {
            starts.forEach { $0.go.open(with: false) }
            threads.forEach { $0.join() }
            ListenerTable.closeAll(acceptors)
            throw .hostNotFit(error.description)
        }
        let failure = starts.lazy.compactMap { $0.failure.wait() }.first
        // Only now may a shard run: no doorbell is rung before every ring is enabled.
        starts.forEach { $0.go.open(with: failure == nil) }
        guard let failure else { return threads }
        threads.forEach { $0.join() }
        ListenerTable.closeAll(acceptors)
        throw .hostNotFit(failure)
    }
}

/// One shard's start: its thread makes the ring, says whether that worked, and waits for the word to run.
private final class ShardStart: Sendable {
    /// Opened by the shard's thread: nil, or why there is no ring.
    let failure = Gate<String?>()
    /// Opened by the starter: run, or go home.
    let go = Gate<Bool>()
    private let settings: ShardSettings
    private let listeners: [ShardListener]
    private let tier: RingTier

    init(_ settings: ShardSettings, _ listeners: [ShardListener], _ tier: RingTier) {
        self.settings = settings
        self.listeners = listeners
        self.tier = tier
    }

    func runShard() {
        do {
            let ring = try Ring(tier: tier, allowing: .serving)
            settings.shared.entries[Int(settings.index)].ring.store(ring.descriptor.number, ordering: .releasing)
            settings.shared.entries[Int(settings.index)].thread.store(threadNumber(), ordering: .relaxed)
            var shard = try Shard(io: ring, listeners: listeners, settings)
            failure.open(with: nil)
            if go.wait() {
                shard.run()
                settings.shared.entries[Int(settings.index)].hasEnded.store(true, ordering: .releasing)
            }
            // Before the ring goes: its number may soon name something else.
            settings.shared.entries[Int(settings.index)].ring.store(-1, ordering: .releasing)
        } catch {
            failure.open(with: "\(error)")
        }
    }
}
