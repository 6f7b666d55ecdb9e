// The verbs that ask a running server for something: what they send, what they make of the answer, and what they say
// when nobody listens.

import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing

/// A control socket that gives every request the same answer.
private final class ControlSocket: Sendable {
    private let folder: TemporaryFolder
    private let listener: Int32
    private let requests = Mutex<[String]>([])

    var address: String { "unix:" + folder.file("control.sock") }

    /// - Parameter pieces: the response, as it is written; nil: none, ever.
    init(_ pieces: [String]?) throws {
        folder = try TemporaryFolder()
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var place = sockaddr_un()
        place.sun_family = sa_family_t(AF_UNIX)
        let path = folder.file("control.sock")
        withUnsafeMutableBytes(of: &place.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &place) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0 && listen(listener, 8) == 0)
        Thread.detachNewThread { [listener] in
            while true {
                let connection = accept(listener, nil, nil)
                guard connection >= 0 else { return }
                self.answer(connection, pieces)
            }
        }
    }

    deinit { close(listener) }

    private func answer(_ connection: Int32, _ pieces: [String]?) {
        var request = ""
        var bytes = [UInt8](repeating: 0, count: 4096)
        while !request.contains("\r\n\r\n") {
            let count = recv(connection, &bytes, bytes.count, 0)
            guard count > 0 else { break }
            request += String(decoding: bytes.prefix(count), as: UTF8.self)
        }
        requests.withLock { $0.append(request) }
        guard let pieces else { return }
        for piece in pieces {
            _ = send(connection, piece, piece.utf8.count, Int32(MSG_NOSIGNAL))
            usleep(1_000)
        }
        close(connection)
    }

    var requestLines: [String] {
        requests.withLock { $0.map { $0.split(separator: "\r\n").first.map(String.init) ?? "" } }
    }

    static func response(_ status: String, _ type: String, _ body: String) -> [String] {
        [
            "HTTP/1.1 \(status)\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n"
                + "Connection: close\r\n\r\n\(body)"
        ]
    }
}

@Suite(.serialized) struct ControlTests {
    private let verbs: [(arguments: [String], request: String)] = [
        (["reload"], "POST /reload HTTP/1.1"), (["drain"], "POST /drain HTTP/1.1"),
        (["drain", "--within", "1500ms"], "POST /drain?timeout=2 HTTP/1.1"),
        (["log-level", "debug"], "POST /log-level?level=debug HTTP/1.1"),
        (["log-level", "WARN"], "POST /log-level?level=warning HTTP/1.1"),
    ]

    @Test func eachVerbAsksItsQuestion() async throws {
        for verb in verbs {
            let socket = try ControlSocket(ControlSocket.response("200 OK", "text/plain", "it is done\n"))
            let finished = try await Command.run(verb.arguments + ["--control", socket.address])
            #expect(finished.status == 0 && finished.text == "it is done\n", "\(finished)")
            #expect(socket.requestLines == [verb.request])
        }
    }

    @Test func anObjectIsShownAsLinesAndHandedOnAsJSON() async throws {
        let body = #"{"message":"reload applied","applied":["server.max_connections"],"needs_restart":[],"count":2}"#
        let socket = try ControlSocket(ControlSocket.response("200 OK", "application/json", body))
        let text = try await Command.run("reload", "--control", socket.address)
        #expect(
            text.lines == ["reload applied", "applied: server.max_connections", "count: 2", "needs_restart: none"])
        let object = try await Command.run("reload", "--control", socket.address, "--json").object()
        #expect(object["kind"] as? String == "reload" && object["done"] as? Bool == true)
        let answer = try #require(object["answer"] as? [String: Any])
        #expect(answer["count"] as? Int == 2 && answer["applied"] as? [String] == ["server.max_connections"])
    }

    @Test func aRefusedReloadIsAnInvalidConfiguration() async throws {
        let body = #"{"message":"apus.toml:3: unknown key"}"#
        let socket = try ControlSocket(ControlSocket.response("422 Unprocessable Content", "application/json", body))
        let reload = try await Command.run("reload", "--control", socket.address, "--json")
        #expect(reload.status == 3 && reload.complaint.contains("apus.toml:3: unknown key"))
        #expect(try reload.object()["done"] as? Bool == false)
        #expect(try await Command.run("drain", "--control", socket.address).status == 1)
    }

    @Test func aForbiddenRequestSaysWhy() async throws {
        let socket = try ControlSocket(ControlSocket.response("403 Forbidden", "text/plain", "only over a UNIX socket"))
        let finished = try await Command.run("drain", "--control", socket.address)
        #expect(finished.status == 1 && finished.complaint.contains("only over a UNIX socket"))
    }

    /// The bytes may come as they like.
    @Test func anAnswerInPiecesIsRead() async throws {
        let whole = ControlSocket.response("200 OK", "text/plain", "in pieces")[0]
        let socket = try ControlSocket(whole.map { String($0) })
        #expect(try await Command.run("drain", "--control", socket.address).text == "in pieces\n")
        let unannounced = try ControlSocket(["HTTP/1.1 200 OK\r\n\r\n", "to the ", "end"])
        #expect(try await Command.run("drain", "--control", unannounced.address).text == "to the end\n")
    }

    @Test(arguments: [
        "SSH-2.0-OpenSSH_9.2\r\n", "", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\ncut", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n", "\r\n\r\n",
    ])
    func whatIsNoAnswerIsNotTakenForOne(_ response: String) async throws {
        let socket = try ControlSocket([response])
        let finished = try await Command.run("reload", "--control", socket.address)
        #expect(finished.status == 1 && finished.complaint.contains("no control socket of Apus"), "\(finished)")
    }

    @Test func silenceEndsWithTheTimeout() async throws {
        let socket = try ControlSocket(nil)
        let finished = try await Command.run("drain", "--control", socket.address, "--timeout", "200ms")
        #expect(finished.status == 1 && finished.complaint.contains("no answer in time"))
    }

    @Test func withoutAServerItIsSaid() async throws {
        let folder = try TemporaryFolder()
        let nowhere = try await Command.run("reload", "--control", "unix:" + folder.file("none.sock"))
        #expect(nowhere.status == 1 && nowhere.complaint.contains("does the server run"))
        #expect(FileManager.default.createFile(atPath: folder.file("file"), contents: nil))
        let file = try await Command.run("reload", "--control", "unix:" + folder.file("file"))
        #expect(file.status == 1 && file.complaint.contains("cannot reach the control socket"))
    }

    @Test func usageIsChecked() async throws {
        #expect(try await Command.run("reload", "--control", "127.0.0.1:9600").status == 2)
        #expect(try await Command.run("reload", "--control", "unix:").status == 2)
        let long = "unix:/" + String(repeating: "x", count: 200)
        #expect(try await Command.run("drain", "--control", long).status == 2)
        let level = try await Command.run("log-level", "loud")
        #expect(level.status == 2 && level.complaint.contains("trace"))
        for verb in ["reload", "drain", "log-level"] {
            #expect(try await Command.run(verb, "--help").text.contains("Example:"))
        }
    }
}
