// The door to the thread that serves every client of the process. It is started with the first client and never ends;
// without clients it sleeps.

import ApusReactor
import Synchronization

final class ClientLoop: Sendable {
    /// Connections at once; each takes a timer and, while it is open, at most three events of the inbox.
    static let linesMax = 16_384

    private static let running = Mutex<ClientLoop?>(nil)

    private let inbox: Inbox<LoopEvent>
    private let places = Places(countMax: ClientLoop.linesMax)
    private let lineCount = Atomic<UInt64>(0)

    /// The process's loop. If it could not start, the next call tries again: a limit may have been raised.
    static func shared() throws(ClientError) -> ClientLoop {
        let started = running.withLock { running -> Result<ClientLoop, ClientError> in
            if let running { return .success(running) }
            return start().map {
                running = $0
                return $0
            }
        }
        return try started.get()
    }

    private static func start() -> Result<ClientLoop, ClientError> {
        do {
            let loop = ClientLoop(inbox: try Inbox(countMax: 4 * linesMax))
            return try loop.startThread(tier: .fromEnvironment()).map { loop }
        } catch {
            return .failure(.hostNotFit("\(error)"))
        }
    }

    private init(inbox: Inbox<LoopEvent>) { self.inbox = inbox }

    /// A ring belongs to the thread that makes it, so the thread says whether it could.
    private func startThread(tier: RingTier) throws(SystemError) -> Result<Void, ClientError> {
        let started = Gate<Result<Void, ClientError>>()
        _ = try LoopThread.start(name: "apus-client") { [inbox, places] in
            do {
                var shard = try ClientShard(inbox: inbox, places: places, tier: tier)
                started.open(with: .success(()))
                shard.run()
            } catch {
                started.open(with: .failure(.hostNotFit("\(error)")))
            }
        }
        // Milliseconds, and once in a process.
        return started.wait()
    }

    /// Connect; `opening.opened` tells how it went.
    func open(_ opening: Opening) throws(ClientError) -> Line {
        guard places.take() else { throw .tooManyClients(limit: places.countMax) }
        let id = lineCount.wrappingAdd(1, ordering: .relaxed).newValue
        post(.open(id, opening))
        return Line(id, of: self)
    }

    func post(_ event: LoopEvent) {
        let isPosted = inbox.post(event)
        precondition(isPosted, "the inbox holds every event that \(ClientLoop.linesMax) connections can cause")
    }
}

/// How many connections there may be.
final class Places: Sendable {
    let countMax: Int
    private let taken = Atomic(0)

    init(countMax: Int) { self.countMax = countMax }

    func take() -> Bool {
        guard taken.wrappingAdd(1, ordering: .relaxed).oldValue < countMax else {
            giveBack()
            return false
        }
        return true
    }

    func giveBack() { taken.wrappingSubtract(1, ordering: .relaxed) }
}
