// `apus send`: one custom message, and what the server makes of it.

import ApusClient
import ArgumentParser
import Foundation

struct Send: ClientVerb {
    static let configuration = CommandConfiguration(
        abstract: "Send a custom message and print the payload of the reply.",
        discussion: """
            The reply's payload goes to stdout as it is; on a terminal, as a hex dump if it is not text. A server is \
            silent about a command that it does not know: after the timeout the exit code is 1.

            Examples:

              apus send --command TIME
              apus send --command STORE --payload @picture.png --timeout 30s > answer.bin
              date | apus send --command LOG --payload @-
            """
    )

    @Option(help: "The message's command.")
    var command: String

    @Option(help: "A text, @FILE for a file's bytes, @- for stdin, or @@TEXT for a text that begins with @.")
    var payload = ""

    @OptionGroup var server: ServerOptions

    @Flag(help: "Print a JSON object; the payload in base64.")
    var json = false

    private struct Report: Encodable {
        let kind = "send"
        let address: String
        let command: String
        /// The reply.
        let reply: String
        let replyCommand: String?
        let payload: String

        enum CodingKeys: String, CodingKey {
            case kind, address, command, reply
            case replyCommand = "reply_command"
            case payload = "payload_base64"
        }
    }

    func perform() async throws {
        let content = try PayloadArgument.bytes(of: payload)
        let settings = try server.settings()
        // Once: what a command does when it comes twice is not known here.
        let client = try await settings.connect()
        let reply = Reply(try await request(content, of: client))
        if json {
            try Output.json(
                Report(
                    address: settings.address, command: command, reply: reply.kind, replyCommand: reply.command,
                    payload: Data(reply.payload ?? []).base64EncodedString()))
        } else if let payload = reply.payload {
            try print(payload)
        } else {
            Output.complain("apus: the reply is \(reply.kind), which has no payload")
        }
        try await client.disconnect()
    }

    private func request(_ content: [UInt8], of client: Client) async throws -> Client.Message {
        do throws(ClientError) {
            return try await client.request(.custom(command: command, payload: content))
        } catch .timeout(.reply, let after, let address) {
            throw Failure(
                .runtimeFailure,
                "apus: \(address) did not answer \(command) within \(after.brief): a server is silent about commands "
                    + "it does not know; check the name, or raise --timeout")
        }
    }

    private func print(_ payload: [UInt8]) throws {
        guard Output.isTerminal, !payload.isEmpty else { return try Output.bytes(payload) }
        guard let text = HexDump.printableText(payload) else { return try Output.line(HexDump.lines(of: payload)) }
        try text.hasSuffix("\n") ? Output.bytes(payload) : Output.line(text)
    }
}

/// What is to be shown of a reply.
private struct Reply {
    let kind: String
    let command: String?
    /// Nil when messages of this kind have none.
    let payload: [UInt8]?

    init(_ message: Client.Message) {
        kind = "\(message.kind)"
        switch message {
        case .custom(let name, let bytes): (command, payload) = (name, bytes)
        case .echo(let text): (command, payload) = (nil, Array(text.utf8))
        case .ping, .pong, .disconnect, .unknown, .handshakeInit, .handshakeResponse, .handshakeConfirm:
            (command, payload) = (nil, nil)
        }
    }
}

/// The bytes that a `--payload` stands for.
enum PayloadArgument {
    static func bytes(of argument: String) throws -> [UInt8] {
        guard argument.hasPrefix("@") else { return Array(argument.utf8) }
        let rest = argument.dropFirst()
        if rest.hasPrefix("@") { return Array(rest.utf8) }
        do {
            if rest == "-" { return Array(try FileHandle.standardInput.readToEnd() ?? Data()) }
            return Array(try Data(contentsOf: URL(fileURLWithPath: String(rest))))
        } catch {
            throw Failure(.runtimeFailure, "apus: cannot read \(rest): \(error.localizedDescription)")
        }
    }
}
