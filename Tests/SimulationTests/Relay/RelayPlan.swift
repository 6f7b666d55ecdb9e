// What one run of a relay is made of: shards and the lanes between them, limits, weather, peers and how it ends, all
// drawn from its seed.

import ApusReactor
import ApusServer
import TestSupport

/// What a run is mostly about.
enum RelayFlavour: Int, CaseIterable {
    case mixed, flood, twins, crowd, gossip, tightMemory, strangers
}

struct RelayPlan {
    static let url = "rels://relay.example.com:443"

    let seed: UInt64
    let flavour: RelayFlavour
    var random: Generator
    var weather: Weather
    var configuration = ServerConfiguration(listeners: [])
    var mailSizes = MailboxSizes()
    var shardCount: Int
    var bufferCount: Int
    var bufferByteCount: Int
    var inboundMax: Int
    var outboundMax: Int
    var clientCount: Int
    /// Peers share so many ids.
    var idCount: Int
    var hostCount: Int
    /// In the middle of everything; nil: when all peers have done what they wanted and the truth has been looked at.
    var earlyEnd: Nanoseconds?
    var ending: RunEnding
    /// For the first peers, when a test says what they do.
    var cast: [(script: RelayScript, manners: Manners, shard: Int)] = []

    init(seed: UInt64) {
        self.seed = seed
        var random = Generator(seed: seed ^ 0x4E1A)
        flavour = random.choice(RelayFlavour.allCases)
        weather = .random(&random)
        weather.failsDoorbells = random.choice([0, 0, 100])
        shardCount = random.choice([1, 2, 2, 3, 4])
        bufferCount = random.within(2, 8)
        bufferByteCount = random.choice([64, 1024, 4096, 16_384])
        inboundMax = random.choice([256, 8192, 65_536])
        outboundMax = random.choice([256, 8192, 65_536])
        clientCount = random.within(2, 8)
        idCount = random.within(1, clientCount)
        hostCount = random.choice([0, 1, 3])
        if random.chance(perMille: 250) {
            earlyEnd = random.nanoseconds(upTo: random.choice([50 * .millisecond, .second, 5 * .second]))
        }
        ending = .stop
        if random.chance(perMille: 800) {
            let timeout = random.choice([100 * .millisecond, .second, 10 * .second])
            ending = .drain(timeout, over: random.choice([0, 0, timeout / 10, timeout / 2]))
        }
        self.random = random
        configure()
        configureRelay()
        tailor()
    }

    private mutating func configure() {
        configuration.listeners = [ListenerConfiguration(name: "relay", address: "", session: .relay)]
        configuration.shards = shardCount
        configuration.maxConnections = random.chance(perMille: 150) ? random.within(1, clientCount) : clientCount + 2
        configuration.firstByteTimeout = random.choice([.milliseconds(200), .seconds(5)])
        configuration.handshakeTimeout = random.choice([.milliseconds(500), .seconds(10)])
        configuration.stalledWriteTimeout = random.choice([.seconds(2), .seconds(5)])
        configuration.slowPeerGrace = random.choice([.seconds(2), .seconds(10)])
        configuration.peerByteRateMin = random.choice([1000, 4096])
        configuration.controlRateMax = random.choice([20, 10_000])
        configuration.memoryBudgetPerShard = 16 << 20
        configuration.addressLimits.connectionsMax = random.choice([nil, nil, 3])
    }

    private mutating func configureRelay() {
        var relay = RelayConfiguration(instanceURL: RelayPlan.url, secrets: [RelayClient.secret])
        relay.healthInterval = random.choice([.seconds(3), .seconds(25)])
        relay.livenessTimeout = random.choice([.seconds(7), .seconds(45)])
        relay.backlogByteCountMax = random.choice([16 << 10, 64 << 10, 64 << 10])
        relay.backlogBudgetPerShard = random.choice([32 << 10, 32 << 10, 1 << 20])
        relay.messageAgeMax = random.choice([.milliseconds(50), .seconds(1), .seconds(30)])
        relay.subscriptionsPerPeerMax = random.choice([4, 1000])
        relay.subscriptionsPerShardMax = random.choice([3, 2000, 2000])
        relay.flapCount = random.choice([2, 5])
        configuration.relay = relay
        mailSizes.dataByteCount = random.choice([32 << 10, 256 << 10])
        mailSizes.controlCount = random.choice([4, 64, 1024])
        mailSizes.pendingCount = random.choice([512, 4096])
    }

    private mutating func tailor() {
        switch flavour {
        case .mixed, .strangers: break
        case .flood:
            // More than a connection gathers (64 KiB), its socket holds and a backlog takes.
            (bufferByteCount, inboundMax, outboundMax) = (16_384, 65_536, random.choice([2048, 8192]))
            clientCount = random.within(2, 4)
            (idCount, bufferCount) = (clientCount, 8)
        case .twins: (clientCount, idCount) = (random.within(4, 10), random.within(1, 2))
        case .crowd:
            (mailSizes.controlCount, mailSizes.pendingCount) = (4, 512)
            (bufferByteCount, inboundMax) = (16_384, 65_536)
            shardCount = random.within(2, 3)
            configuration.relay?.subscriptionsPerPeerMax = 1000
            configuration.relay?.subscriptionsPerShardMax = 4000
        case .gossip:
            // Homes together tell a shard more than its queue of news holds.
            (clientCount, idCount, shardCount) = (8, 8, random.within(2, 4))
            configuration.maxConnections = 10
            configuration.relay?.subscriptionsPerPeerMax = random.choice([3, 1000])
            configuration.relay?.subscriptionsPerShardMax = random.choice([2, 4, 2000])
        case .tightMemory:
            configuration.memoryBudgetPerShard = random.choice([16_384, 32_768])
            (bufferByteCount, inboundMax, outboundMax) = (4096, 65_536, 2048)
        }
        configuration.maxConnections = max(configuration.maxConnections, 1)
    }

    /// The pool's budget may run out.
    var isTight: Bool { configuration.memoryBudgetPerShard < 1 << 20 }

    // MARK: Peers

    mutating func peer(_ index: Int) -> (script: RelayScript, manners: Manners, shard: Int) {
        if cast.indices.contains(index) { return cast[index] }
        let (shard, script) = (random.below(shardCount), script())
        return (script, manners(for: script), shard)
    }

    private mutating func manners(for script: RelayScript) -> Manners {
        var manners = Manners.random(&random)
        // However slow, it takes no more than a few hundred steps.
        manners.writeMax = max(manners.writeMax, 20, script.acts.reduce(0) { $0 + $1.byteCount } / 200)
        let isBulky = flavour == .flood || flavour == .tightMemory
        if flavour == .flood, random.chance(perMille: 500) { manners.writeMax = 65_536 }
        manners.readMax = max(manners.readMax, isBulky ? 1000 : 100)
        manners.window = .max
        if flavour == .crowd { (manners.writeMax, manners.reactionMax) = (65_536, 100_000) }
        if flavour == .twins { manners.start = random.nanoseconds(upTo: 3 * .second) }
        return manners
    }

    private mutating func script() -> RelayScript {
        let id = random.below(idCount)
        let strangersPerMille = flavour == .strangers ? 600 : 120
        guard !random.chance(perMille: strangersPerMille) else {
            return RelayScript(id: id, opening: strangersOpening(id))
        }
        let login = RelayWire.auth(id, RelayWire.validToken)
        var script = RelayScript(id: id, opening: .login(login, refusedFor: nil))
        script.isEager = random.chance(perMille: 200)
        script.fragmentsPerMille = random.choice([0, 0, 0, 500])
        script.resubscribes = random.chance(perMille: 800)
        script.acts = acts()
        script.ending = ending(of: script)
        let stallsPerMille = flavour == .flood ? 400 : 80
        if random.chance(perMille: stallsPerMille) { script.stallsBehind = UInt64(random.below(6)) }
        return script
    }

    private mutating func strangersOpening(_ id: Int) -> RelayOpening {
        let auth = RelayWire.auth(id, RelayWire.validToken)
        switch random.below(10) {
        case 0: return .silent
        case 1: return .upgradeOnly
        case 2: return .refused(RelayWire.noRequest, .badRequest)
        case 3: return .refused(RelayWire.upgradeElsewhere, .upgradeRefused)
        case 4: return .login(RelayWire.auth(id, RelayWire.expiredToken), refusedFor: .authRefused)
        case 5: return .login(RelayWire.auth(id, RelayWire.forgedToken), refusedFor: .authRefused)
        case 6: return .login(RelayWire.auth(id, []), refusedFor: .authRefused)
        case 7: return .login(Array(auth.prefix(random.within(1, 41))), refusedFor: .authRefused)
        case 8: return .login(auth + [UInt8](repeating: 0x31, count: 300), refusedFor: .authRefused)
        default: return .login([2] + auth.dropFirst(), refusedFor: .authRefused)
        }
    }

    private mutating func acts() -> [RelayAct] {
        if flavour == .crowd, random.chance(perMille: 500) { return crowd() }
        var acts: [RelayAct] = []
        // Time for others to come.
        if random.chance(perMille: 600) { acts.append(.rest(random.within(1, 400).milliseconds)) }
        if flavour == .gossip { acts.append(.subscribe(Array(0..<idCount))) }
        for _ in 0..<random.within(0, 14) { acts.append(act()) }
        if flavour == .flood || flavour == .tightMemory, random.chance(perMille: 700) {
            if random.chance(perMille: 500) { acts.append(.rest(random.within(600, 1200).milliseconds)) }
            acts += flood()
        }
        return acts
    }

    private mutating func act() -> RelayAct {
        switch random.below(12) {
        case 0...4: .datagram(to: random.below(idCount + 1), byteCount: datagramByteCount())
        case 5...7: .subscribe((0..<random.within(1, 3)).map { _ in random.below(idCount + 1) })
        case 8: .unsubscribe([random.below(idCount + 1)])
        case 9: .ping
        case 10: .oddList
        default: .rest(random.nanoseconds(upTo: random.choice([.millisecond, 300 * .millisecond, 2 * .second])))
        }
    }

    private mutating func datagramByteCount() -> Int {
        switch random.below(10) {
        case 0: 0
        case 1...7: random.within(4, 200)
        case 8: random.within(200, 1400)
        default: random.choice([83, 84, 85, 8782])
        }
    }

    /// So many notices to homes that lanes run short.
    private mutating func crowd() -> [RelayAct] {
        (0..<random.within(1, 4)).map { _ in
            let first = random.below(RelayWire.idCount - 244)
            return .subscribe(Array(first..<first + random.within(100, 244)))
        } + [act(), act()]
    }

    private mutating func flood() -> [RelayAct] {
        let (destination, byteCount) = (random.below(idCount), random.choice([400, 1300, 8000]))
        let count = min(150, (flavour == .flood ? 250_000 : 60_000) / byteCount)
        return (0..<count).map { _ in .datagram(to: destination, byteCount: byteCount) }
    }

    private mutating func ending(of script: RelayScript) -> RelayScriptEnding {
        switch random.below(flavour == .twins ? 12 : 20) {
        case 0: .finish
        case 1: .goodbye
        case 2: .closeFrame
        case 3: .truncate
        case 4: .reset
        case 5: .vanish
        case 6 where configuration.controlRateMax < 100: .flood
        case 7: violation()
        default: .stay
        }
    }

    private mutating func violation() -> RelayScriptEnding {
        switch random.below(4) {
        case 0: .last(RelayWire.frame(RelayWire.text, Array("text".utf8), key: 1), reason: .webSocketViolation)
        case 1: .last([0x82, 2, 1, 5], reason: .webSocketViolation)
        case 2: .last(RelayWire.frame(RelayWire.binary, [2, 3], key: 2), reason: .relayViolation)
        default:
            .last(RelayWire.frame(RelayWire.binary, [UInt8](repeating: 1, count: 8821), key: 3),
                reason: .webSocketViolation)
        }
    }
}

extension Int {
    fileprivate var milliseconds: Nanoseconds { Nanoseconds(self) * .millisecond }
}
