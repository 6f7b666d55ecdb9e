import ApusReactor
import Foundation
import Testing

@Suite struct LoopThreadTests {
    /// A line of the calling thread's `status`.
    private static func status(_ field: String) throws -> String? {
        let lines = try String(contentsOfFile: "/proc/thread-self/status", encoding: .utf8).split(separator: "\n")
        return lines.first { $0.hasPrefix(field) }?.dropFirst(field.count).trimmingCharacters(in: .whitespaces)
    }

    /// What `body` finds on a thread of its own.
    private static func onThread<Value: Sendable>(
        name: String = "test", core: Int? = nil, _ body: @escaping @Sendable () throws -> Value
    ) throws -> Value {
        let gate = Gate<Result<Value, any Error>>()
        let thread = try LoopThread.start(name: name, core: core) { gate.open(with: Result(catching: body)) }
        thread.join()
        return try gate.wait().get()
    }

    @Test(arguments: [("shard-1", "shard-1"), ("a-name-that-is-too-long", "a-name-that-is-")])
    func hasItsName(_ name: String, _ shown: String) throws {
        let found = try Self.onThread(name: name) { try Self.status("Name:") }
        #expect(found == shown)
    }

    @Test func staysOnItsCore() throws {
        let core = try #require(LoopThread.usableCores.last)
        let found = try Self.onThread(core: core) { try Self.status("Cpus_allowed_list:") }
        #expect(found == "\(core)")
    }

    @Test(arguments: [-1, 1000, 1 << 20])
    func refusesACoreThatDoesNotExist(_ core: Int) {
        #expect(throws: SystemError.self) { try LoopThread.start(name: "nowhere", core: core) {} }
    }

    @Test func takesNoSignalsButItsOwnFaults() throws {
        let mask = try #require(try Self.onThread { try Self.status("SigBlk:") })
        let blocked = try #require(UInt64(mask, radix: 16))
        for signal in [SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1] { #expect(blocked & 1 << UInt64(signal - 1) != 0) }
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGABRT] { #expect(blocked & 1 << UInt64(fault - 1) == 0) }
    }

    @Test func leavesTheStartersSignalsAlone() throws {
        let before = try Self.status("SigBlk:")
        try LoopThread.start(name: "test") {}.join()
        #expect(try Self.status("SigBlk:") == before)
    }

    @Test func runsOnWhenNobodyJoins() throws {
        let (ready, done) = (Gate<Void>(), Gate<Int>())
        _ = try LoopThread.start(name: "detached") {
            ready.wait()
            done.open(with: 7)
        }
        ready.open(with: ())
        #expect(done.wait() == 7)
    }
}

@Suite struct GateTests {
    @Test func givesItsValueToAllThatWait() throws {
        let gate = Gate<String>()
        let found = (0..<4).map { _ in Gate<String>() }
        let threads = try found.map { found in try LoopThread.start(name: "waiter") { found.open(with: gate.wait()) } }
        gate.open(with: "open")
        for thread in threads { thread.join() }
        #expect(found.map { $0.wait() } == Array(repeating: "open", count: 4))
        #expect(gate.wait() == "open")
    }

    @Test func trapsWhenOpenedTwice() async {
        await #expect(processExitsWith: .failure) {
            let gate = Gate<Int>()
            gate.open(with: 1)
            gate.open(with: 2)
        }
    }
}
