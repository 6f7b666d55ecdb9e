// What listeners that speak `relay` are told. It knows nothing of files, flags or environment.

import ApusWire

/// One for all relay listeners of a server: their peers reach one another. The defaults protect and are those that
/// NetBird's and openZro's clients expect (relay.md §4).
public struct RelayConfiguration: Sendable {
    /// What peers are told they are connected to, `rel://…` or `rels://…`: clients compare it byte by byte, so it must
    /// be the same on every node and across restarts (relay.md §3.1). 1 to 8,190 bytes of UTF-8.
    public var instanceURL: String
    /// Shared with whoever mints the tokens: the current secret first, then those that are still honoured. UTF-8.
    public var secrets: [String]
    /// Accept every peer, whatever its token. For tests.
    public var allowsAnyToken = false
    /// Refuse tokens that expire later than so far from now, in whole seconds, 1 at least; nil: any expiry.
    public var tokenLifetimeMax: Duration?
    /// How often a peer is asked whether it is there. Clients drop a relay that is silent for 35 s.
    public var healthInterval: Duration = .seconds(25)
    /// A peer that sends nothing at all for so long is closed, `dead_peer`.
    public var livenessTimeout: Duration = .seconds(45)
    /// Bytes of messages that may wait for one peer beyond its connection's buffers; then the oldest of whoever has
    /// most waiting there is dropped.
    public var backlogByteCountMax = 1 << 20
    /// The same for all peers of one shard.
    public var backlogBudgetPerShard = 64 << 20
    /// A message that has waited longer is dropped when its turn comes.
    public var messageAgeMax: Duration = .seconds(1)
    /// Peers that one peer may be interested in at once.
    public var subscriptionsPerPeerMax = 65_536
    /// The same for all ids whose home is one shard.
    public var subscriptionsPerShardMax = 1 << 20
    /// Which web pages may connect. Native clients send no Origin.
    public var origins = RelayOrigins.any
    /// Proxies whose X-Real-IP and X-Forwarded-For are believed: addresses or CIDR blocks.
    public var trustedProxies: [String] = []
    /// A peer id that is taken over so often within `flapWindow` is told as flapping.
    public var flapCount = 5
    public var flapWindow: Duration = .seconds(60)

    /// Nil where one of them is no address or block.
    var trustedProxyList: CIDRList? {
        do throws(CIDRError) { return try CIDRList(parsing: trustedProxies) } catch { return nil }
    }

    /// Every mistake, in words; empty when there is none.
    func problems() -> [String] {
        var problems: [String] = []
        if !(1...RelayFormat.urlByteCountMax ~= instanceURL.utf8.count) {
            problems.append("exposed_address: 1 to \(RelayFormat.urlByteCountMax) bytes of UTF-8")
        }
        if !allowsAnyToken, secrets.isEmpty || secrets.contains("") {
            problems.append("auth_secret: peers are believed by their tokens; say what these are signed with")
        }
        do throws(CIDRError) { _ = try CIDRList(parsing: trustedProxies) } catch {
            problems.append("trusted_proxies: \(error)")
        }
        if let tokenLifetimeMax, tokenLifetimeMax < .seconds(1) {
            problems.append("max_token_lifetime: 1 s or more, found \(tokenLifetimeMax)")
        }
        return problems + limitProblems
    }

    /// By the names of the option table's keys, in its bounds: whoever sets them there is told the same here.
    private var limitProblems: [String] {
        let counts = [
            ("backlog_per_peer", backlogByteCountMax, 64 << 10, 1 << 30),
            ("backlog_budget", backlogBudgetPerShard, 1 << 20, 1 << 36),
            ("max_subscriptions_per_peer", subscriptionsPerPeerMax, 244, 1 << 20),
            ("max_subscriptions", subscriptionsPerShardMax, 1024, 1 << 26),
            ("flap_count", flapCount, 2, 1000),
        ]
        let times = [
            ("health_interval", healthInterval, 100, 35_000), ("liveness_timeout", livenessTimeout, 100, 3_600_000),
            ("max_message_age", messageAgeMax, 1, 60_000), ("flap_window", flapWindow, 1000, 3_600_000),
        ]
        return counts.filter { !($0.2...$0.3 ~= $0.1) }.map { "\($0.0): \($0.2) to \($0.3), found \($0.1)" }
            + times.filter { !(Duration.milliseconds($0.2)...(.milliseconds($0.3)) ~= $0.1) }
                .map { "\($0.0): \($0.2) to \($0.3) ms, found \($0.1)" }
    }

    public init(instanceURL: String, secrets: [String]) {
        self.instanceURL = instanceURL
        self.secrets = secrets
    }
}

/// Which Origin fields an upgrade may carry (RFC 6455 §10.2).
public enum RelayOrigins: Equatable, Sendable {
    case any
    /// The host that the request names.
    case sameHost
    /// Exactly these, as browsers write them: `https://app.example.com`.
    case list([String])
}
