// The client over real sockets, against a peer that does what each test tells it.

import ApusClient
import ApusWire
import Foundation
import Glibc
import Synchronization
import Testing

private func connect(
    _ peer: ScriptedPeer, _ change: (inout ClientConfiguration) -> Void = { _ in }
) async throws -> Client {
    var configuration = ClientConfiguration()
    change(&configuration)
    return try await Client.connect(to: peer.address, configuration: configuration)
}

/// The error of `body`; nil when it succeeds.
private func failure(of body: () async throws(ClientError) -> Void) async -> ClientError? {
    do throws(ClientError) {
        try await body()
        return nil
    } catch {
        return error
    }
}

@Suite struct ClientTests {
    @Test func pipelinedRequestsGetTheirOwnReplies() async throws {
        let peer = ScriptedPeer { $0.serve() }
        let client = try await connect(peer)
        try await withThrowingTaskGroup(of: (String, Message).self) { group in
            for index in 0..<500 {
                group.addTask { ("\(index)", try await client.request(.echo("\(index)"))) }
            }
            for try await (text, reply) in group { #expect(reply == .echo(text)) }
        }
        try await client.disconnect()
        await peer.finish()
    }

    @Test func requestsLeaveBeforeTheFirstReply() async throws {
        let peer = ScriptedPeer { stream in
            let requests = (0..<60).compactMap { _ in stream.read() }
            for request in requests { stream.write(request) }
            stream.serve()
        }
        let client = try await connect(peer)
        let count = try await withThrowingTaskGroup(of: Message.self) { group in
            for index in 0..<60 { group.addTask { try await client.request(.echo("\(index)")) } }
            return try await group.reduce(0) { count, _ in count + 1 }
        }
        #expect(count == 60)
    }

    @Test func aPingOfTheServerIsAnsweredAndHidden() async throws {
        let ponged = Signal()
        let peer = ScriptedPeer { stream in
            guard let request = stream.read() else { return }
            stream.write(.ping)
            if stream.read() == .pong { ponged.raise() }
            stream.write(request)
        }
        let client = try await connect(peer)
        #expect(try await client.request(.echo("a")) == .echo("a"))
        ponged.wait()
    }

    @Test func aPingOfTheCallerIsAnsweredWithPong() async throws {
        let client = try await connect(ScriptedPeer { $0.serve() })
        #expect(try await client.request(.ping) == .pong)
    }

    @Test func theLargestMessageMakesTheRoundTrip() async throws {
        let client = try await connect(ScriptedPeer { $0.serve() })
        let text = String(repeating: "x", count: PacketFormat.payloadByteCountMax - 12)
        #expect(try await client.request(.echo(text)) == .echo(text))
        let tooLarge = await failure { () throws(ClientError) in _ = try await client.request(.echo(text + "x")) }
        let limit = PacketFormat.payloadByteCountMax
        #expect(tooLarge == .tooLarge(byteCount: limit + 1, limit: limit))
    }

    @Test func repliesMayArriveByteByByte() async throws {
        let peer = ScriptedPeer { stream in
            while let request = stream.read() {
                for byte in PacketEncoder.encode(request) { stream.writeBytes([byte]) }
            }
        }
        let client = try await connect(peer)
        for index in 0..<10 { #expect(try await client.request(.echo("\(index)")) == .echo("\(index)")) }
    }

    // MARK: Ends

    @Test func theEndFailsEveryPendingRequestAtOnce() async throws {
        let peer = ScriptedPeer { stream in for _ in 0..<3 { _ = stream.read() } }
        let client = try await connect(peer)
        let errors = await withTaskGroup(of: ClientError?.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    await failure { () throws(ClientError) in _ = try await client.request(.echo("x")) }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(errors == Array(repeating: .closedByServer(address: peer.address), count: 3))
        let later = await failure { () throws(ClientError) in _ = try await client.request(.ping) }
        #expect(later == .closedByServer(address: peer.address))
        #expect(client.endReason == .closedByServer(address: peer.address))
    }

    @Test func aResetIsALostConnection() async throws {
        let peer = ScriptedPeer { stream in
            _ = stream.read()
            stream.reset()
        }
        let client = try await connect(peer)
        let error = await failure { () throws(ClientError) in _ = try await client.request(.echo("x")) }
        #expect(error == .connectionLost(address: peer.address))
    }

    @Test func anEndInsideAPacketIsAViolation() async throws {
        let peer = ScriptedPeer { stream in
            guard let request = stream.read() else { return }
            stream.writeBytes(PacketEncoder.encode(request).dropLast())
        }
        let client = try await connect(peer)
        let error = await failure { () throws(ClientError) in _ = try await client.request(.echo("x")) }
        #expect(error == .violation(.truncatedPacket, address: peer.address))
    }

    @Test func anotherProtocolIsNamed() async throws {
        let peer = ScriptedPeer { stream in
            _ = stream.read()
            stream.writeBytes(Array("HTTP/1.1 400 Bad Request\r\n".utf8))
        }
        let client = try await connect(peer)
        let error = await failure { () throws(ClientError) in _ = try await client.request(.echo("x")) }
        #expect(error == .violation(.packet(.magic(offset: 0, found: 0x48)), address: peer.address))
    }

    @Test func disconnectWaitsForTheRepliesThatAreDue() async throws {
        let (received, answer) = (Signal(), Signal())
        let goodbye = Mutex<[Message?]>([])
        let peer = ScriptedPeer { stream in
            guard let request = stream.read() else { return }
            received.raise()
            answer.wait()
            stream.write(request)
            let rest = [stream.read(), stream.read()]
            goodbye.withLock { $0 = rest }
        }
        let client = try await connect(peer)
        async let reply = client.request(.echo("due"))
        await onThread { received.wait() }
        async let left: Void = client.disconnect()
        answer.raise()
        #expect(try await reply == .echo("due"))
        try await left
        await peer.finish()
        #expect(goodbye.withLock { $0 } == [.disconnect, nil])
        let later = await failure { () throws(ClientError) in _ = try await client.request(.ping) }
        #expect(later == .closed(address: peer.address))
        // Leaving twice is leaving.
        try await client.disconnect()
    }

    @Test func closeEndsWhatWaits() async throws {
        let received = Signal()
        let peer = ScriptedPeer { stream in
            _ = stream.read()
            received.raise()
            _ = stream.read()
        }
        let client = try await connect(peer)
        async let error = failure { () throws(ClientError) in _ = try await client.request(.echo("x")) }
        await onThread { received.wait() }
        client.close()
        #expect(await error == .closed(address: peer.address))
        await peer.finish()
    }

    @Test func aClientThatNobodyHoldsIsClosed() async throws {
        let peer = ScriptedPeer { $0.serve() }
        do {
            let client = try await connect(peer)
            #expect(try await client.request(.ping) == .pong)
        }
        await peer.finish()
    }

    // MARK: Time

    @Test func aSilentServerTimesOut() async throws {
        let peer = ScriptedPeer { stream in while stream.read() != nil {} }
        let client = try await connect(peer) { $0.responseTimeout = .milliseconds(30) }
        let error = await failure { () throws(ClientError) in
            _ = try await client.request(.custom(command: "NOBODY", payload: []))
        }
        #expect(error == .timeout(.reply(to: .custom), after: .milliseconds(30), address: peer.address))
        // The pairing is in doubt, so the connection ends, and the peer sees it.
        await peer.finish()
    }

    @Test func aDeadServerIsGivenUp() async throws {
        let peer = ScriptedPeer { stream in while stream.read() != nil {} }
        let client = try await connect(peer) { $0.heartbeatInterval = .milliseconds(5) }
        let error = await failure { () throws(ClientError) in _ = try await client.request(.echo("x")) }
        guard case .unresponsive(peer.address, _) = error else {
            Issue.record("expected unresponsive, got \(String(describing: error))")
            return
        }
    }

    @Test func heartbeatsKeepAQuietConnectionOpen() async throws {
        let enough = Signal()
        let peer = ScriptedPeer { stream in
            for _ in 0..<2 where stream.read() == .ping { stream.write(.pong) }
            enough.raise()
            stream.serve()
        }
        let client = try await connect(peer) { $0.heartbeatInterval = .milliseconds(500) }
        await onThread { enough.wait() }
        #expect(client.endReason == nil)
    }

    @Test func aListenerThatDoesNotAcceptTimesOut() async throws {
        let (listener, port) = ScriptedPeer.listen(backlog: 0)
        defer { close(listener) }
        var configuration = ClientConfiguration()
        configuration.connectionTimeout = .milliseconds(50)
        // The kernel completes the first few itself, until the backlog is full.
        var held: [Client] = []
        var error: ClientError?
        for _ in 0..<8 where error == nil {
            error = await failure { () throws(ClientError) in
                held.append(try await Client.connect(to: "127.0.0.1:\(port)", configuration: configuration))
            }
        }
        #expect(error == .timeout(.connection, after: .milliseconds(50), address: "127.0.0.1:\(port)"))
    }

    // MARK: Cancellation

    @Test func cancellationEndsTheWaitAndKeepsTheOrder() async throws {
        let (received, answer) = (Signal(), Signal())
        let peer = ScriptedPeer { stream in
            guard let first = stream.read() else { return }
            received.raise()
            guard let second = stream.read() else { return }
            answer.wait()
            stream.write(first, second)
            stream.serve()
        }
        let client = try await connect(peer)
        let cancelled = Task {
            await failure { () throws(ClientError) in _ = try await client.request(.echo("first")) }
        }
        await onThread { received.wait() }
        cancelled.cancel()
        #expect(await cancelled.value == .cancelled)
        async let reply = client.request(.echo("second"))
        answer.raise()
        #expect(try await reply == .echo("second"))
    }

    @Test func aCancelledTaskDoesNotConnect() async throws {
        let (listener, port) = ScriptedPeer.listen(backlog: 8)
        defer { close(listener) }
        let attempt = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return await failure { () throws(ClientError) in
                _ = try await Client.connect(to: "127.0.0.1:\(port)")
            }
        }
        #expect(await attempt.value == .cancelled)
    }

    // MARK: Messages nobody asked for

    @Test func sendAndReceivePairByHand() async throws {
        let client = try await connect(ScriptedPeer { $0.serve() })
        for index in 0..<100 { try await client.send(.echo("\(index)")) }
        for index in 0..<100 { #expect(try await client.receive() == .echo("\(index)")) }
    }

    @Test func aReceiverHearsOfTheEnd() async throws {
        let peer = ScriptedPeer { $0.write(.custom(command: "LAST", payload: [])) }
        let client = try await connect(peer)
        #expect(try await client.receive() == .custom(command: "LAST", payload: []))
        let error = await failure { () throws(ClientError) in _ = try await client.receive() }
        #expect(error == .closedByServer(address: peer.address))
    }

    // MARK: Connecting

    @Test func nobodyListens() async {
        let address = "127.0.0.1:\(ScriptedPeer.unusedPort())"
        let error = await failure { () throws(ClientError) in _ = try await Client.connect(to: address) }
        #expect(error == .connectionRefused(address: address))
        let path = "unix:/nonexistent/apus.sock"
        let missing = await failure { () throws(ClientError) in _ = try await Client.connect(to: path) }
        #expect(missing == .connectionRefused(address: path))
    }

    @Test(arguments: ["", "9000", "127.0.0.1", "::1:9000", "unix:", "127.0.0.1:65536"])
    func whatIsNoAddressIsRefused(text: String) async {
        let error = await failure { () throws(ClientError) in _ = try await Client.connect(to: text) }
        guard case .invalidAddress(text, _) = error else {
            Issue.record("expected invalidAddress, got \(String(describing: error))")
            return
        }
    }

    @Test func aNameIsLookedUp() async throws {
        let peer = ScriptedPeer { $0.serve() }
        let client = try await Client.connect(to: peer.address.replacing("127.0.0.1", with: "localhost"))
        #expect(try await client.request(.ping) == .pong)
    }

    @Test func aConfigurationIsChecked() async {
        var configuration = ClientConfiguration()
        configuration.requestWindow = 0
        configuration.responseTimeout = .zero
        let error = await failure { [configuration] () throws(ClientError) in
            _ = try await Client.connect(to: "127.0.0.1:1", configuration: configuration)
        }
        guard case .invalidConfiguration(let problems) = error else {
            Issue.record("expected invalidConfiguration, got \(String(describing: error))")
            return
        }
        #expect(problems.count == 2)
    }

    @Test func manyClientsShareOneLoop() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for index in 0..<50 {
                group.addTask {
                    let peer = ScriptedPeer { $0.serve() }
                    let client = try await connect(peer)
                    #expect(try await client.request(.echo("\(index)")) == .echo("\(index)"))
                    try await client.disconnect()
                    await peer.finish()
                }
            }
            try await group.waitForAll()
        }
    }
}

/// Wait on a thread of its own: a test's task must not block the threads that other tasks need.
private func onThread(_ wait: @escaping @Sendable () -> Void) async {
    await withCheckedContinuation { continuation in
        Thread.detachNewThread {
            wait()
            continuation.resume()
        }
    }
}
