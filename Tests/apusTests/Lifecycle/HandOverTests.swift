// The two sides of a hand-over, in one process over a pair of sockets: who has which descriptor in the end.

import Glibc
import Synchronization
import TestSupport
import Testing

@testable import apus

@Suite struct HandOverTests {
    private let patience = Deadline(after: .seconds(patienceSeconds))

    // MARK: The channel

    @Test func descriptorsTravelBesideTheirMessage() throws {
        let (one, other) = try HandOverChannel.pair()
        let sockets = try (0..<3).map { _ in try TestSocket.listening() }
        let listener = HandOverListener(name: "a", address: "b", isActivated: false, descriptorCount: 3)
        try one.send(.listener(listener), with: sockets, by: patience)
        try one.send(.end, by: patience)
        let (message, received) = try other.receive(by: patience)
        #expect(message == .listener(listener))
        #expect(received.count == 3)
        #expect(zip(sockets, received).allSatisfy(TestSocket.areOne))
        #expect(received.allSatisfy { fcntl($0, F_GETFD) == FD_CLOEXEC })
        let (end, none) = try other.receive(by: patience)
        #expect((end, none) == (.end, []))
        (sockets + received).forEach { close($0) }
    }

    @Test func asManyAsTheKernelPasses() throws {
        let (one, other) = try HandOverChannel.pair()
        let socket = try TestSocket.listening()
        let copies = [Int32](repeating: socket, count: HandOverChannel.descriptorsAtOnceMax)
        try one.send(.end, with: copies, by: patience)
        let (_, received) = try other.receive(by: patience)
        #expect(received.count == copies.count)
        (received + [socket]).forEach { close($0) }
    }

    @Test func whoIsGoneAndWhoIsSilent() throws {
        let (one, other) = try HandOverChannel.pair()
        #expect(!one.isEnded)
        #expect(throws: HandOverError.self) { try one.receive(by: Deadline(after: .milliseconds(1))) }
        other.close()
        #expect(one.isEnded)
        let error = #expect(throws: HandOverError.self) { try one.receive(by: patience) }
        #expect(error?.description == HandOverError.ended.description)
        #expect(throws: HandOverError.self) { try one.send(.end, by: patience) }
    }

    @Test func thisUserIsAtBothEnds() throws {
        let (one, _) = try HandOverChannel.pair()
        #expect(one.peerUserID == getuid())
    }

    // MARK: The whole

    private struct Sides {
        let result: HandOverResult
        let released: [Int32]
    }

    /// Hand `listeners` over while `take` does what a successor does.
    private func handOver(
        _ listeners: [LifecycleListener], refusing reason: String? = nil,
        _ take: (Takeover) throws -> Void
    ) throws -> Sides {
        let (own, its) = try HandOverChannel.pair()
        let released = Mutex<[Int32]>([])
        let deadline = patience
        let giving = Background {
            let asked = try own.receive(by: deadline)
            #expect(asked.message == .take(processID: 42, program: Version.number))
            return HandOver(channel: own, deadline: deadline, listeners: listeners).run { successor in
                released.withLock { $0.append(successor) }
                return reason
            }
        }
        let takeover = try Takeover(from: .descriptor(dup(its.descriptor)))
        its.close()
        try take(takeover)
        return Sides(result: try giving.value(), released: released.withLock { $0 })
    }

    private func listener(_ name: String, _ sockets: [Int32], isActivated: Bool = false) throws -> LifecycleListener {
        let address = try #require(ListenAddress(of: sockets[0])).description
        return LifecycleListener(
            name: name, address: address, descriptors: sockets.map { dup($0) }, isActivated: isActivated)
    }

    @Test func theSuccessorGoesOnWithTheSockets() throws {
        let folder = try TemporaryFolder()
        let path = "unix:" + folder.file("a.sock")
        let sockets = [try TestSocket.listening(), try TestSocket.listening(path)]
        let listeners = [try listener("edge", [sockets[0], sockets[0]]), try listener("local", [sockets[1]])]
        let places = [
            ListenerPlace(name: "edge", address: "127.0.0.1:0"), ListenerPlace(name: "local", address: path),
            ListenerPlace(name: "new", address: "127.0.0.1:0"),
        ]
        let sides = try handOver(listeners) { takeover in
            let taken = try takeover.takeListeners(for: places, processID: 42, program: Version.number)
            #expect(taken.descriptors.mapValues(\.count) == ["edge": 2, "local": 1])
            #expect(taken.remarks.isEmpty && taken.activated.isEmpty)
            #expect(TestSocket.areOne(try #require(taken.descriptors["local"]?.first), sockets[1]))
            try takeover.finish(processID: 42)
            taken.closeAll()
        }
        #expect(sides.result == .done(successor: 42))
        #expect(sides.released == [42])
        // The copies that were made for it are closed, the server's own are not.
        #expect(listeners.flatMap(\.descriptors).allSatisfy { !TestSocket.isOpen($0) })
        #expect(sockets.allSatisfy(TestSocket.isOpen))
        sockets.forEach { close($0) }
    }

    /// More sockets than go with one message.
    @Test func aListenerOfManySocketsArrivesWhole() throws {
        let socket = try TestSocket.listening()
        let listeners = [try listener("edge", [Int32](repeating: socket, count: 300))]
        let places = [ListenerPlace(name: "edge", address: "127.0.0.1:0")]
        let sides = try handOver(listeners) { takeover in
            let taken = try takeover.takeListeners(for: places, processID: 42, program: Version.number)
            #expect(taken.descriptors["edge"]?.count == 300)
            try takeover.finish(processID: 42)
            taken.closeAll()
        }
        #expect(sides.result == .done(successor: 42))
        close(socket)
    }

    @Test func whatTheConfigurationDoesNotNameIsClosedAndSaid() throws {
        let sockets = [try TestSocket.listening(), try TestSocket.listening(), try TestSocket.listening()]
        let listeners = [
            try listener("gone", [sockets[0]]), try listener("moved", [sockets[1]]),
            try listener("systemd", [sockets[2]], isActivated: true),
        ]
        let places = [
            ListenerPlace(name: "moved", address: "[::1]:0"), ListenerPlace(name: "systemd", address: "127.0.0.1:1"),
        ]
        let sides = try handOver(listeners) { takeover in
            let taken = try takeover.takeListeners(for: places, processID: 42, program: Version.number)
            #expect(Array(taken.descriptors.keys) == ["systemd"])
            #expect(taken.activated == ["systemd"])
            #expect(taken.remarks.count == 2)
            #expect(taken.remarks.first?.hasPrefix("listener gone") == true)
            #expect(taken.remarks.last?.hasPrefix("listener moved: it moves from 127.0.0.1:") == true)
            try takeover.finish(processID: 42)
            taken.closeAll()
        }
        #expect(sides.result == .done(successor: 42))
        sockets.forEach { close($0) }
    }

    @Test func aSuccessorThatFailsSaysWhy() throws {
        let socket = try TestSocket.listening()
        let sides = try handOver([try listener("edge", [socket])]) { takeover in
            let places = [ListenerPlace(name: "edge", address: "127.0.0.1:0")]
            try takeover.takeListeners(for: places, processID: 42, program: Version.number).closeAll()
            takeover.fail(because: "no ring")
        }
        #expect(sides.result == .rolledBack("no ring", successorLeaves: true))
        #expect(sides.released.isEmpty)
        close(socket)
    }

    @Test func aSuccessorThatEndsIsNoSuccessor() throws {
        let socket = try TestSocket.listening()
        let (own, its) = try HandOverChannel.pair()
        its.close()
        let handOver = HandOver(channel: own, deadline: patience, listeners: [try listener("edge", [socket])])
        #expect(handOver.run { _ in nil } == .rolledBack(HandOverError.ended.description, successorLeaves: false))
        close(socket)
    }

    @Test func aSuccessorThatIsTooSlowIsToldToGo() throws {
        let (own, its) = try HandOverChannel.pair()
        let handOver = HandOver(channel: own, deadline: Deadline(after: .milliseconds(20)), listeners: [])
        #expect(handOver.run { _ in nil } == .rolledBack(HandOverError.timedOut.description, successorLeaves: false))
        #expect(try its.receive(by: patience).message == .end)
        #expect(try its.receive(by: patience).message == .refused(reason: HandOverError.timedOut.description))
    }

    /// It served already, and must stop: the other goes on.
    @Test func aServerThatKeepsItsSocketsSaysSo() throws {
        let sides = try handOver([], refusing: "draining") { takeover in
            _ = try takeover.takeListeners(for: [], processID: 42, program: Version.number)
            let error = #expect(throws: HandOverError.self) { try takeover.finish(processID: 42) }
            #expect(error?.description == "draining")
        }
        #expect(sides.result == .rolledBack("draining", successorLeaves: true))
        #expect(sides.released == [42])
    }

    /// Its sockets are the successor's then, and nobody else's.
    @Test func aServerThatDiesInBetweenIsSucceeded() throws {
        let (own, its) = try HandOverChannel.pair()
        let takeover = try Takeover(from: .descriptor(dup(its.descriptor)))
        its.close()
        let dying = Background { [patience] in
            _ = try own.receive(by: patience)
            own.close()
        }
        try takeover.finish(processID: 42)
        try dying.value()
    }

    @Test func aRefusalReachesTheSuccessor() throws {
        let (own, its) = try HandOverChannel.pair()
        let takeover = try Takeover(from: .descriptor(dup(its.descriptor)))
        own.sendLast(.refused(reason: "PID 1"))
        let error = #expect(throws: HandOverError.self) {
            try takeover.takeListeners(for: [], processID: 42, program: "x")
        }
        #expect(error?.description == "PID 1")
    }
}
