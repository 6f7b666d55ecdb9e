// A server that tests reload, connections that talk all the time, and callers that come all the time.

import ApusReactor
import ApusServer
import ApusWire
import Glibc
import Synchronization
import TestSupport
import Testing

/// As `withServer`, with the configuration that a test may change and hand in again.
func withReloadable(
    _ change: (inout Server) -> Void = { _ in }, _ body: (RunningServer, ServerConfiguration) throws -> Void
) async throws {
    var configuration = ServerConfiguration(listeners: [])
    try await withServer(.newest) { server in
        change(&server)
        configuration = server.configuration
    } _: { server in
        try body(server, configuration)
    }
}

extension RunningServer {
    /// Reload with one change, and wait until every shard has taken it over.
    @discardableResult
    func reload(
        _ configuration: inout ServerConfiguration, _ change: (inout ServerConfiguration) -> Void
    ) throws -> ServerReload {
        change(&configuration)
        let report = try handle.reload(configuration)
        #expect(handle.metrics.reloadsApplied > 0)
        return report
    }

    /// Why a reload with this change is refused; nil when it is not.
    func refusal(
        _ configuration: ServerConfiguration, _ change: (inout ServerConfiguration) -> Void
    ) -> ServerError? {
        var changed = configuration
        change(&changed)
        do throws(ServerError) {
            _ = try handle.reload(changed)
            return nil
        } catch {
            return error
        }
    }

    /// Where the listener of this place in the configuration is bound.
    func address(_ index: Int) -> String { handle.boundAddresses[index] }
}

/// Between two rounds of one thread: other tests want the processor too.
private let pauseMicroseconds: UInt32 = 1_000

/// Connections that ask and are answered, one question each at a time, until they are told to stop.
final class SteadyTalk: Sendable {
    private let isOver: Shared
    private let threads: [Background<Int>]

    private final class Shared: Sendable {
        let isOver = Atomic(false)
        let answerCount = Atomic(0)
    }

    /// - Parameter threadCount: each with its part of the connections.
    init(_ peers: [Peer], threadCount: Int = 4) {
        let shared = Shared()
        isOver = shared
        threads = (0..<threadCount).map { thread in
            let mine = peers.enumerated().filter { $0.offset % threadCount == thread }.map(\.element)
            return Background {
                var round = 0
                while !shared.isOver.load(ordering: .relaxed) {
                    for peer in mine { try peer.send(.echo("\(round)")) }
                    for peer in mine {
                        guard try peer.read() == .echo("\(round)") else { throw PeerError.truncated }
                    }
                    shared.answerCount.add(mine.count, ordering: .relaxed)
                    round += 1
                    usleep(pauseMicroseconds)
                }
                return round * mine.count
            }
        }
    }

    var answerCount: Int { isOver.answerCount.load(ordering: .relaxed) }

    /// Every connection has had so many more answers.
    func goesOn(_ count: Int) -> Bool {
        let before = answerCount
        return eventually { answerCount >= before + count }
    }

    /// Throws when an answer was lost, wrong or late; otherwise how many there were.
    @discardableResult
    func end() throws -> Int {
        isOver.isOver.store(true, ordering: .relaxed)
        return try threads.map { try $0.value() }.reduce(0, +)
    }
}

/// Callers that connect, ask once and leave, one after the other without a pause, until they are told to stop.
final class Callers: Sendable {
    private let shared = Shared()
    private let threads: [Background<Int>]

    private final class Shared: Sendable {
        let isOver = Atomic(false)
        let callCount = Atomic(0)
    }

    init(to address: String, threadCount: Int = 3) {
        let shared = shared
        threads = (0..<threadCount).map { _ in
            Background {
                var failures = 0
                while !shared.isOver.load(ordering: .relaxed) {
                    do {
                        let peer = try Peer(to: address)
                        try peer.send(.echo("call"))
                        // A server that drains may say goodbye first.
                        var reply = try peer.read()
                        if reply == .disconnect { reply = try peer.read() }
                        if reply != .echo("call") { failures += 1 }
                        peer.close()
                    } catch {
                        print("a caller failed: \(error)")
                        failures += 1
                    }
                    shared.callCount.add(1, ordering: .relaxed)
                    usleep(pauseMicroseconds)
                }
                return failures
            }
        }
    }

    func goOn(_ count: Int) -> Bool {
        let before = shared.callCount.load(ordering: .relaxed)
        return eventually { shared.callCount.load(ordering: .relaxed) >= before + count }
    }

    /// How many calls were refused, lost or answered wrongly.
    func end() throws -> Int {
        shared.isOver.store(true, ordering: .relaxed)
        return try threads.map { try $0.value() }.reduce(0, +)
    }
}
