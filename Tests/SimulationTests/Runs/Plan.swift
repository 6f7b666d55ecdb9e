// What one run is made of: limits, weather, clients and how it ends, all drawn from its seed.

import ApusReactor
import ApusServer

/// What a run is mostly about; the seed decides, so that a few hundred seeds meet them all.
enum Flavour: Int, CaseIterable {
    case mixed, flood, slowReaders, large, idle, tightMemory, asynchronous, churn
}

/// When and how the server is told to end.
enum RunEnding {
    case drain(Nanoseconds)
    case stop
}

struct Plan {
    let seed: UInt64
    let flavour: Flavour
    var random: Generator
    var weather: Weather
    var configuration = ServerConfiguration(listeners: [])
    var bufferCount: Int
    var bufferByteCount: Int
    var inboundMax: Int
    var outboundMax: Int
    var clientCount: Int
    /// Clients share so many addresses; zero: they come over UNIX.
    var hostCount = 0
    var style = ScriptStyle()
    var asyncDelayMax: Nanoseconds
    /// The chance, at every turn, of a push to somebody.
    var pushesPerMille: Int
    /// The process has no descriptors left from the first until the second.
    var exhaustion: (start: Nanoseconds, length: Nanoseconds)?
    /// In the middle of everything; nil: when every client has done what it wanted.
    var earlyEnd: Nanoseconds?
    var ending: RunEnding

    init(seed: UInt64) {
        self.seed = seed
        var random = Generator(seed: seed)
        flavour = random.choice(Flavour.allCases)
        weather = .random(&random)
        bufferCount = random.within(2, 8)
        bufferByteCount = random.choice([16, 64, 256, 1024, 4096])
        inboundMax = random.choice([64, 1024, 8192, 65_536])
        outboundMax = random.choice([64, 1024, 8192, 65_536])
        clientCount = random.within(1, 6)
        asyncDelayMax = random.choice([0, .millisecond, 50 * .millisecond, 3 * .second])
        pushesPerMille = random.choice([0, 0, 0, 50])
        if random.chance(perMille: 150) {
            exhaustion = (random.nanoseconds(upTo: .second), random.nanoseconds(upTo: .second))
        }
        if random.chance(perMille: 250) {
            earlyEnd = random.nanoseconds(upTo: random.choice([10 * .millisecond, .second, 5 * .second]))
        }
        ending = random.chance(perMille: 200)
            ? .stop : .drain(random.choice([100 * .millisecond, .second, 10 * .second]))
        self.random = random
        configure()
        flavour(flavour)
        configuration.payloadByteCountMax = style.payloadByteCountMax
        defend(Generator(seed: seed ^ 0xDEFE))
    }

    /// What peers may take of time, and addresses of the server.
    private mutating func defend(_ drawn: Generator) {
        var random = drawn
        configuration.slowPeerGrace = random.choice([.seconds(2), .seconds(10)])
        configuration.peerByteRateMin = random.choice([1000, 4096])
        hostCount = random.choice([0, 1, 3])
        configuration.addressLimits.connectionsMax = random.choice([nil, 1, 3])
        configuration.addressLimits.connectionsPerSecondMax = random.choice([nil, nil, 1, 100])
        configuration.addressLimits.connectionBurstMax = random.choice([1, 3, 100])
    }

    private mutating func configure() {
        let sessions: [SessionKind] = random.choice([[.message], [.message], [.message, .packet], [.packet]])
        configuration.listeners = sessions.enumerated().map { index, session in
            ListenerConfiguration(name: "\(index)", address: "", session: session)
        }
        configuration.maxConnections = random.within(1, clientCount + 2)
        configuration.firstByteTimeout = random.choice([.milliseconds(200), .seconds(5)])
        configuration.stalledWriteTimeout = random.choice([.seconds(2), .seconds(5)])
        configuration.idleTimeout = random.choice([nil, nil, .milliseconds(300), .seconds(3)])
        configuration.heartbeatInterval = random.choice([nil, .seconds(1), .seconds(15)])
        configuration.backpressureLimit = random.choice([1, 2, 4, 32])
        configuration.outstandingByteCountMax = random.choice([4096, 16_384, 1 << 20])
        configuration.memoryBudgetPerShard = 16 << 20
        configuration.unknownCommand = random.chance(perMille: 200) ? .close : .silence
        configuration.systemAliases = random.chance(perMille: 300)
        style.payloadByteCountMax = random.choice([4096, 65_536, 1 << 20])
        style.systemAliases = configuration.systemAliases
        style.unknownCommand = configuration.unknownCommand
        style.asyncPerMille = random.choice([0, 0, 150])
        // A run with tiny buffers takes a turn for every few bytes.
        style.byteCountMax = min(bufferByteCount * 40, 30_000)
        style.sizeMax = min(style.byteCountMax, style.payloadByteCountMax - 300)
    }

    private mutating func flavour(_ flavour: Flavour) {
        switch flavour {
        case .mixed: break
        case .flood: flood()
        case .slowReaders: (outboundMax, configuration.outstandingByteCountMax) = (random.choice([64, 1024]), 4096)
        case .large: enlarge()
        case .idle:
            style.requestCountMax = 3
            configuration.idleTimeout = random.choice([nil, .milliseconds(300), .seconds(3)])
            configuration.heartbeatInterval = random.choice([.seconds(1), .seconds(15)])
        case .tightMemory:
            configuration.memoryBudgetPerShard = random.choice([16_384, 65_536])
            configuration.outstandingByteCountMax = random.choice([4096, 1 << 20])
        case .asynchronous:
            configuration.listeners = [ListenerConfiguration(name: "0", address: "", session: .message)]
            configuration.backpressureLimit = random.within(1, 8)
            (style.asyncPerMille, style.requestCountMax) = (random.choice([400, 900]), 20)
            asyncDelayMax = random.choice([50 * .millisecond, 3 * .second])
        case .churn:
            (clientCount, style.requestCountMax) = (10, 3)
            configuration.maxConnections = random.within(1, 5)
        }
    }

    /// More than a paused connection may keep (64 KiB) and all buffers hold.
    private mutating func flood() {
        (bufferByteCount, bufferCount, inboundMax, outboundMax) = (4096, random.within(2, 4), 8192, 8192)
        configuration.outstandingByteCountMax = 4096
        (style.payloadByteCountMax, style.sizeMax, style.isBulky) = (4096, 3000, true)
        (style.byteCountMax, style.requestCountMin, style.requestCountMax) = (140_000, 20, 100)
        clientCount = random.within(1, 2)
    }

    private mutating func enlarge() {
        (bufferByteCount, style.payloadByteCountMax) = (random.choice([1024, 4096]), 1 << 20)
        (style.sizeMax, style.byteCountMax) = (200_000, 100_000)
        (inboundMax, outboundMax, clientCount) = (random.choice([8192, 65_536]), 65_536, random.within(1, 2))
    }

    /// The budget may run out.
    var isTight: Bool { configuration.memoryBudgetPerShard < 1 << 20 }

    mutating func script(for listener: Int) -> Script {
        var style = style
        style.session = configuration.listeners[listener].session
        return style.script(&random)
    }

    mutating func manners(for script: Script) -> Manners {
        var manners = Manners.random(&random)
        if flavour == .slowReaders || flavour == .flood {
            manners.readMax = random.choice([200, 4000])
            manners.reactionMax = random.choice([100_000, 20 * .millisecond])
        }
        // However slow, it takes no more than a few hundred steps.
        let byteCount = script.requests.reduce(0) { $0 + $1.bytes.count }
        manners.writeMax = max(manners.writeMax, byteCount / 100)
        manners.readMax = max(manners.readMax, byteCount / 100)
        if flavour == .flood {
            (manners.window, manners.writeMax) = (.max, 65_536)
        }
        if flavour == .churn { manners.start = random.nanoseconds(upTo: 3 * .second) }
        return manners
    }
}
