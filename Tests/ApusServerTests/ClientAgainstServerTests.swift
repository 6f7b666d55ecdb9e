// The client against the server of this package: the same promises, kept by both sides.

import ApusClient
import ApusServer
import ApusWire
import TestSupport
import Testing

/// Start a server, connect a client, and stop the server when `body` is done.
private func withClient(
    _ change: (inout Server) -> Void = { _ in }, _ body: (Client, ServerHandle) async throws -> Void
) async throws {
    var server = Server(ServerConfiguration(address: "127.0.0.1:0"))
    change(&server)
    let handle = try server.start()
    let client = try await Client.connect(to: handle.boundAddresses[0])
    do {
        try await body(client, handle)
    } catch {
        Issue.record("\(error)")
    }
    handle.stop()
    await handle.run()
}

@Suite struct ClientAgainstServerTests {
    @Test func repliesComeToTheirRequests() async throws {
        try await withClient { client, _ in
            #expect(try await client.request(.ping) == .pong)
            try await withThrowingTaskGroup(of: (String, Message).self) { group in
                for index in 0..<1000 {
                    let text = String(repeating: "\(index) ", count: index % 100)
                    group.addTask { (text, try await client.request(.echo(text))) }
                }
                for try await (text, reply) in group { #expect(reply == .echo(text)) }
            }
            try await client.disconnect()
        }
    }

    @Test func asynchronousRepliesKeepTheOrderToo() async throws {
        let slow: (inout Server) -> Void = { server in
            server.dispatcher.registerAsync(.command("LATER")) { message, _ in
                if case .custom(_, let payload) = message, payload[0] % 2 == 0 {
                    try await Task.sleep(for: .milliseconds(2))
                }
                return message
            }
        }
        try await withClient(slow) { client, _ in
            try await withThrowingTaskGroup(of: (Message, Message).self) { group in
                for index in 0..<100 {
                    let request = index % 3 == 0
                        ? Message.echo("\(index)") : .custom(command: "LATER", payload: [UInt8(index)])
                    group.addTask { (request, try await client.request(request)) }
                }
                for try await (request, reply) in group { #expect(reply == request) }
            }
        }
    }

    @Test func disconnectLosesNoReply() async throws {
        try await withClient { client, handle in
            let replies = (0..<200).map { index in Task { try await client.request(.echo("\(index)")) } }
            // The first one is answered, so the others are on their way; those that come too late are told.
            #expect(try await replies[0].value == .echo("0"))
            try await client.disconnect()
            for (index, reply) in replies.enumerated() {
                switch await reply.result {
                case .success(let message): #expect(message == .echo("\(index)"))
                case .failure(let error): #expect(error as? ClientError == .closed(address: client.address))
                }
            }
            #expect(eventually { handle.metrics.closed[.disconnect] == 1 })
        }
    }

    @Test func aDrainTellsTheClientToLeave() async throws {
        try await withClient { client, handle in
            let reply = try await client.request(.ping)
            #expect(reply == .pong)
            handle.shutdown(timeout: .seconds(20))
            #expect(await handle.run() == .drained)
            await #expect(throws: ClientError.closedByServer(address: client.address)) {
                try await client.request(.ping)
            }
        }
    }

    @Test func aPushIsReceived() async throws {
        let hello: (inout Server) -> Void = { server in
            server.dispatcher.register(command: "SUBSCRIBE") { _, context, reply in
                reply.push(.custom(command: "NEWS", payload: [1]), to: context.token)
            }
        }
        try await withClient(hello) { client, _ in
            try await client.send(.custom(command: "SUBSCRIBE", payload: []))
            #expect(try await client.receive() == .custom(command: "NEWS", payload: [1]))
        }
    }

    @Test func bothSidesPingAndNeitherSeesIt() async throws {
        let busy: (inout Server) -> Void = { $0.configuration.heartbeatInterval = .milliseconds(500) }
        try await withClient(busy) { client, handle in
            try await Task.sleep(for: .milliseconds(1200))
            #expect(client.endReason == nil)
            #expect(try await client.request(.echo("still here")) == .echo("still here"))
        }
    }
}
