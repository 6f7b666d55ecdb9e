// What each path answers, over a real server.

import ApusReactor
import ApusServer
import ApusWire
import Foundation
import Synchronization
import TestSupport
import Testing

@Suite(.serialized) struct AdminEndpointTests {
    @Test(arguments: RingTier.allCases) func aServerThatRunsIsLiveAndReady(_ tier: RingTier) async throws {
        try await withAdmin(tier) { server in
            let live = try server.admin("/livez")
            #expect(live?.status == 200 && live?.body == "live\n")
            let ready = try server.admin("/readyz")
            #expect(ready?.status == 200 && ready?.body == "ready\n")
            #expect(server.handle.health.isLive && server.handle.health.isReady)
        }
    }

    @Test func readinessIsWithdrawnWithItsReason() async throws {
        try await withAdmin { server in
            server.handle.withdrawReadiness("upgrade: another process takes over")
            let ready = try server.admin("/readyz")
            #expect(ready?.status == 503 && ready?.body == "upgrade: another process takes over\n")
            #expect(try server.admin("/livez")?.status == 200)
            server.handle.withdrawReadiness(nil)
            #expect(try server.admin("/readyz")?.status == 200)
        }
    }

    /// While others are connected, operators see that the server drains; then it ends at once.
    @Test func theEndpointStaysThroughADrain() async throws {
        try await withAdmin { server in
            server.configuration.shards = 2
        } _: { server in
            let busy = try server.connect()
            #expect(try busy.request(.ping) == .pong)
            let operatorPeer = try AdminPeer(to: server.adminAddress)
            #expect(try operatorPeer.request("/readyz")?.status == 200)
            server.handle.shutdown(timeout: .seconds(60))
            #expect(eventually { !server.handle.health.isReady })
            let ready = try operatorPeer.request("/readyz")
            #expect(ready?.status == 503 && ready?.body.contains("draining") == true)
            #expect(try server.admin("/status")?.body.contains("\"state\":\"draining\"") == true)
            #expect(try busy.read() == .disconnect)
            busy.close()
            #expect(server.handle.wait() == .drained)
            #expect(try operatorPeer.read() == nil)
        }
    }

    @Test func aDrainWithoutPeersDoesNotWaitForOperators() async throws {
        try await withAdmin { server in
            server.configuration.shards = 2
        } _: { server in
            let idle = try (0..<4).map { _ in try AdminPeer(to: server.adminAddress) }
            for peer in idle { #expect(try peer.request("/livez")?.status == 200) }
            server.handle.shutdown(timeout: .seconds(60))
            #expect(server.handle.wait() == .drained)
        }
    }

    /// The control socket has one acceptor; its connections are handed to all shards, which must let go of them too.
    @Test func aDrainEndsConnectionsOfTheControlSocketOnEveryShard() async throws {
        let folder = try TemporaryFolder()
        try await withAdmin { server in
            server.configuration.shards = 3
            server.configuration.listeners.append(
                ListenerConfiguration(name: "control", address: "unix:\(folder.file("c"))", session: .admin))
        } _: { server in
            let address = try #require(server.handle.boundAddresses.last)
            let idle = try (0..<6).map { _ in try AdminPeer(to: address) }
            for peer in idle { #expect(try peer.request("/livez")?.status == 200) }
            server.handle.shutdown(timeout: .seconds(60))
            #expect(server.handle.wait() == .drained)
        }
    }

    @Test func statusCountsWhatHappened() async throws {
        try await withAdmin { server in
            server.configuration.shards = 2
        } _: { server in
            let peer = try server.connect()
            for text in ["a", "bb", "ccc"] { #expect(try peer.request(.echo(text)) == .echo(text)) }
            let status = try #require(try server.admin("/status"))
            #expect(status.fields["content-type"] == "application/json")
            let json = try #require(
                try JSONSerialization.jsonObject(with: Data(status.body.utf8)) as? [String: Any])
            #expect(json["version"] as? String == "1.2.3")
            #expect(json["state"] as? String == "serving")
            #expect(json["pid"] as? Int == Int(getpid()))
            #expect((json["connections"] as? [String: Any])?["open"] as? Int == 1)
            let listeners = try #require(json["listeners"] as? [[String: Any]])
            #expect(listeners.map { $0["name"] as? String } == ["edge", "admin"])
            #expect(listeners.map { $0["protocol"] as? String } == ["packet", "admin"])
            #expect(listeners[0]["messages"] as? Int == 3)
            #expect(listeners[0]["open"] as? Int == 1)
            #expect(listeners[0]["address"] as? String == server.address)
            #expect((json["loops"] as? [[String: Any]])?.count == 2)
            let service = try #require(json["service_seconds"] as? [String: Any])
            #expect(service["count"] as? Int == 3)
            #expect((service["buckets"] as? [[String: Any]])?.last?["count"] as? Int == 3)
            #expect(json["top"] == nil)
        }
    }

    @Test func theBusiestConnectionsAreListed() async throws {
        try await withAdmin { server in
            server.configuration.shards = 2
        } _: { server in
            let peers = try (0..<6).map { _ in try server.connect() }
            for (index, peer) in peers.enumerated() {
                let text = String(repeating: "x", count: 100 * (index + 1))
                #expect(try peer.request(.echo(text)) == .echo(text))
            }
            let status = try #require(try server.admin("/status?connections=3"))
            let json = try JSONSerialization.jsonObject(with: Data(status.body.utf8)) as? [String: Any]
            let top = try #require((json?["top"] as? [String: Any])?["by_bytes"] as? [[String: Any]])
            #expect(top.map { $0["peer"] as? String } == peers.reversed().prefix(3).map(\.localAddress))
            #expect(top.first?["received_bytes"] as? Int == 600 + 8 + 4 + 9)
            #expect(top.allSatisfy { $0["listener"] as? String == "edge" })
            for wrong in ["0", "51", "x", ""] {
                #expect(try server.admin("/status?connections=\(wrong)")?.status == 400)
            }
        }
    }

    @Test func everyAnswerKeepsBrowsersFromMakingMoreOfIt() async throws {
        try await withAdmin { server in
            for path in ["/", "/livez", "/readyz", "/metrics", "/status", "/nothing", "/reload"] {
                let reply = try #require(try server.admin(path))
                #expect(reply.fields["x-content-type-options"] == "nosniff")
                #expect(reply.fields["cache-control"] == "no-store")
                #expect(reply.fields["content-security-policy"]?.contains("default-src 'none'") == true)
            }
            let page = try #require(try server.admin("/"))
            #expect(page.fields["content-type"] == "text/html; charset=utf-8")
            #expect(page.fields["content-security-policy"]?.contains("script-src 'sha256-") == true)
            #expect(!page.body.contains("src=") && !page.body.contains("http://www.w3.org/1999"))
        }
    }

    @Test func unknownPathsAndMethodsAreTold() async throws {
        try await withAdmin { server in
            #expect(try server.admin("/nothing")?.status == 404)
            #expect(try server.admin("*", method: "OPTIONS")?.status == 404)
            for method in ["POST", "PUT", "OPTIONS", "get"] {
                let reply = try server.admin("/status", method: method)
                #expect(reply?.status == 405 && reply?.fields["allow"] == "GET, HEAD")
            }
            let reload = try server.admin("/reload")
            #expect(reload?.status == 405 && reload?.fields["allow"] == "POST")
        }
    }

    @Test func headHasTheLengthAndNoBody() async throws {
        try await withAdmin { server in
            let peer = try AdminPeer(to: server.adminAddress)
            let head = try #require(try peer.request("/livez", method: "HEAD"))
            #expect(head.status == 200 && head.fields["content-length"] == "5")
            #expect(try peer.request("/livez")?.body == "live\n")
        }
    }

    @Test func aForeignNameIsRefusedOnTheLoopback() async throws {
        try await withAdmin { server in
            server.configuration.admin.allowedHosts = ["Apus.Example"]
        } _: { server in
            for host in ["127.0.0.1", "127.0.0.1:9600", "[::1]:9600", "localhost:1", "a.localhost", "apus.example:80",
                "APUS.EXAMPLE.", ""] {
                let status = try server.admin("/livez", host: host)?.status
                #expect(status == 200, "\(host)")
            }
            for host in ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "1.2.3", "256.1.1.1"] {
                let status = try server.admin("/livez", host: host)?.status
                #expect(status == 421, "\(host)")
            }
        }
    }

    @Test func anAdminListenerTakesNoHandshake() {
        var configuration = ServerConfiguration(address: "127.0.0.1:0")
        configuration.listeners[0].session = .admin
        #expect(configuration.problems().isEmpty)
        configuration.listeners[0].security = .handshake(.init())
        #expect(configuration.problems().contains { $0.contains("admin is spoken over none or tls") })
    }
}

// MARK: Commands

@Suite(.serialized) struct AdminCommandTests {
    @Test func commandsAreTakenOverAUNIXSocketOnly() async throws {
        let folder = try TemporaryFolder()
        let heard = Heard()
        try await withAdmin(at: "unix:" + folder.file("c")) { server in
            server.configuration.admin.control = { command in
                heard.add(command)
                return ControlAnswer(.done, "well")
            }
        } _: { server in
            for (target, command) in [
                ("/reload", ControlCommand.reload), ("/drain", .drain(timeout: nil)),
                ("/drain?timeout=7", .drain(timeout: .seconds(7))), ("/log-level?level=debug", .logLevel("debug")),
            ] {
                let reply = try server.admin(target, method: "POST", host: "anything.example")
                #expect(reply?.status == 200 && reply?.body == "well\n")
                #expect(heard.last == command)
            }
            #expect(try server.admin("/log-level", method: "POST")?.status == 400)
            #expect(try server.admin("/drain?timeout=x", method: "POST")?.status == 400)
            #expect(heard.count == 4)
        }
    }

    @Test func overTCPTheyAreForbidden() async throws {
        let heard = Heard()
        try await withAdmin { server in
            server.configuration.admin.control = { command in
                heard.add(command)
                return ControlAnswer(.done, "")
            }
        } _: { server in
            for path in ["/reload", "/drain", "/log-level?level=debug"] {
                let reply = try server.admin(path, method: "POST")
                #expect(reply?.status == 403 && reply?.body.contains("control socket") == true)
            }
            #expect(heard.count == 0)
        }
    }

    @Test(arguments: [(ControlAnswer.Outcome.refused, 422), (.failed, 500)])
    func whatWentWrongIsTold(_ outcome: ControlAnswer.Outcome, _ status: Int) async throws {
        let folder = try TemporaryFolder()
        try await withAdmin(at: "unix:" + folder.file("c")) { server in
            server.configuration.admin.control = { _ in ControlAnswer(outcome, "{\"why\":1}") }
        } _: { server in
            let reply = try server.admin("/reload", method: "POST")
            #expect(reply?.status == status && reply?.body == "{\"why\":1}\n")
            #expect(reply?.fields["content-type"] == "application/json")
        }
    }

    @Test func withoutAnybodyToCarryThemOutThatIsTold() async throws {
        let folder = try TemporaryFolder()
        try await withAdmin(at: "unix:" + folder.file("c")) { server in
            let reply = try server.admin("/reload", method: "POST")
            #expect(reply?.status == 501)
        }
    }
}

private final class Heard: Sendable {
    private let commands = Mutex<[ControlCommand]>([])

    func add(_ command: ControlCommand) { commands.withLock { $0.append(command) } }
    var last: ControlCommand? { commands.withLock { $0.last } }
    var count: Int { commands.withLock { $0.count } }
}
