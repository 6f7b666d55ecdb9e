// HTTP as it is spoken: connections that stay and go, requests behind one another, whatever strangers send, and peers
// that are slow.

import ApusReactor
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct AdminConnectionTests {
    static let refused: [(text: String, status: Int)] = [
        ("GET / HTTP/2.0\r\n", 505), ("GET /\r\n", 400), ("GET / HTTP/1.1\r\nHost : a\r\n", 400),
        ("GET /" + String(repeating: "a", count: 3000), 414),
        ("GET / HTTP/1.1\r\nX: " + String(repeating: "a", count: 9000), 431),
        ("GET / HTTP/1.1\r\n" + String(repeating: "X: a\r\n", count: 65), 431),
        ("POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 5000\r\n\r\n", 413),
        ("POST /reload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", 501),
        ("POST /reload HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", 417),
        ("\u{16}\u{3}\u{1}", 400), ("NPRO\u{1}", 400),
    ]

    @Test(arguments: RingTier.allCases) func aConnectionStaysForTheNextRequest(_ tier: RingTier) async throws {
        try await withAdmin(tier) { server in
            let peer = try AdminPeer(to: server.adminAddress)
            for _ in 0..<20 { #expect(try peer.request("/livez")?.status == 200) }
            #expect(server.metrics.accepted == 1)
        }
    }

    @Test func closeAndOldClientsEndTheConnection() async throws {
        try await withAdmin { server in
            for text in [
                "GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "GET /livez HTTP/1.0\r\n\r\n",
            ] {
                let peer = try AdminPeer(to: server.adminAddress)
                try peer.send(text)
                let reply = try peer.read()
                #expect(reply?.status == 200 && reply?.fields["connection"] == "close")
                #expect(try peer.read() == nil)
            }
            let peer = try AdminPeer(to: server.adminAddress)
            try peer.send("GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            #expect(try peer.read()?.fields["connection"] == "keep-alive")
            #expect(try peer.request("/readyz")?.status == 200)
            #expect(server.closed(.disconnect, 2))
        }
    }

    /// More than may be under way at once, in one piece: all are answered, in order.
    @Test(arguments: RingTier.allCases) func pipelinedRequestsAreAnsweredInOrder(_ tier: RingTier) async throws {
        try await withAdmin(tier) { server in
            let peer = try AdminPeer(to: server.adminAddress)
            let paths = (0..<60).map { $0 % 3 == 0 ? "/metrics" : $0 % 3 == 1 ? "/livez" : "/nothing" }
            try peer.send(paths.map { "GET \($0) HTTP/1.1\r\nHost: a.localhost\r\n\r\n" }.joined())
            for path in paths {
                let reply = try peer.read()
                let isRight = path == "/metrics" ? reply?.body.hasPrefix("# HELP") == true
                    : path == "/livez" ? reply?.body == "live\n" : reply?.status == 404
                #expect(isRight, "\(path)")
            }
        }
    }

    @Test func aRequestMayComeByteByByte() async throws {
        try await withAdmin { server in
            let peer = try AdminPeer(to: server.adminAddress)
            for byte in "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" { try peer.send(String(byte)) }
            #expect(try peer.read()?.status == 200)
            #expect(try peer.request("/livez")?.status == 200)
        }
    }

    @Test func aBodyIsReadPast() async throws {
        let folder = try TemporaryFolder()
        try await withAdmin(at: "unix:" + folder.file("c")) { server in
            server.configuration.admin.control = { _ in ControlAnswer(.done, "well") }
        } _: { server in
            let peer = try AdminPeer(to: server.adminAddress)
            try peer.send("POST /reload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel")
            try peer.send("lo" + "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(try peer.read()?.body == "well\n")
            #expect(try peer.read()?.body == "live\n")
        }
    }

    @Test(arguments: refused.indices) func whatIsNoRequestIsToldAndEnds(_ index: Int) async throws {
        let (text, status) = Self.refused[index]
        try await withAdmin { server in
            let peer = try AdminPeer(to: server.adminAddress)
            // Behind one that is right, whose answer comes first.
            try peer.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n" + text)
            #expect(try peer.read()?.status == 200)
            let reply = try peer.read()
            #expect(reply?.status == status && reply?.fields["connection"] == "close")
            #expect(try peer.read() == nil)
            // Otherwise the server waits for this side to finish too.
            peer.close()
            #expect(server.closed(.badRequest))
        }
    }

    @Test func aRequestThatDoesNotEndIsTimedOut() async throws {
        try await withAdmin { server in
            server.configuration.admin.requestTimeout = .milliseconds(200)
        } _: { server in
            let peer = try AdminPeer(to: server.adminAddress)
            #expect(try peer.request("/livez")?.status == 200)
            try peer.send("GET /livez HTTP/1.1\r\nHost")
            let reply = try peer.read()
            #expect(reply?.status == 408 && reply?.fields["connection"] == "close")
            #expect(try peer.read() == nil)
            // Otherwise the server waits for this side to finish too; here it does so to the end.
            #expect(server.closed(.requestTimeout))
        }
    }

    @Test func aConnectionWithoutRequestsEnds() async throws {
        try await withAdmin { server in
            server.configuration.admin.idleTimeout = .milliseconds(200)
        } _: { server in
            let peer = try AdminPeer(to: server.adminAddress)
            #expect(try peer.request("/livez")?.status == 200)
            #expect(try peer.read() == nil)
            #expect(server.closed(.idleTimeout))
        }
    }

    @Test func whoOnlyFinishesSendingGetsTheAnswers() async throws {
        try await withAdmin { server in
            let peer = try AdminPeer(to: server.adminAddress)
            for path in ["/livez", "/readyz"] { try peer.send("GET \(path) HTTP/1.1\r\nHost: localhost\r\n\r\n") }
            peer.finishSending()
            #expect(try peer.read()?.body == "live\n")
            #expect(try peer.read()?.body == "ready\n")
            #expect(try peer.read() == nil)
        }
    }

    @Test func aServerThatIsFullLetsOperatorsIn() async throws {
        try await withAdmin { server in
            server.configuration.maxConnections = 2
        } _: { server in
            let peers = try (0..<2).map { _ in try server.connect() }
            for peer in peers { #expect(try peer.request(.ping) == .pong) }
            #expect(try server.connect().read() == nil)
            #expect(server.refused(.connectionLimit))
            #expect(try server.admin("/livez")?.status == 200)
        }
    }

    @Test func operatorsHaveALimitToo() async throws {
        try await withAdmin { server in
            let peers = try (0..<32).map { _ in try AdminPeer(to: server.adminAddress) }
            for peer in peers { #expect(try peer.request("/livez")?.status == 200) }
            #expect(try AdminPeer(to: server.adminAddress).read() == nil)
            #expect(server.refused(.connectionLimit))
            peers[0].close()
            #expect(eventually { isAnswered(by: server) })
        }
    }
}

/// False while the server has no place for one more.
private func isAnswered(by server: RunningServer) -> Bool {
    do {
        return try server.admin("/livez")?.status == 200
    } catch {
        return false
    }
}
