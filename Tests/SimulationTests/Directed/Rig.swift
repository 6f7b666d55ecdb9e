// A shard over a calm simulated kernel, stepped by hand: for tests that say what happens when, to the nanosecond.

import ApusReactor
import ApusServer
import ApusWire

final class Rig {
    private static let turnsMax = 50_000

    let kernel: SimulatedKernel
    let shared: SharedState
    let inbox: Inbox<ShardEvent>
    let lot = ParkingLot()
    let start: Instant
    let configuration: ServerConfiguration
    var shard: Shard<SimulatedRing>

    init(
        bufferCount: Int = 8, bufferByteCount: Int = 4096, inboundMax: Int = 65_536, outboundMax: Int = 65_536,
        _ configure: (inout ServerConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = ServerConfiguration(listeners: [ListenerConfiguration(name: "a", address: "")])
        configuration.maxConnections = 8
        configuration.memoryBudgetPerShard = 16 << 20
        configuration.heartbeatInterval = nil
        configure(&configuration)
        self.configuration = configuration
        kernel = SimulatedKernel(
            Generator(seed: 1), .calm, LentBuffers(count: bufferCount, byteCount: bufferByteCount))
        start = kernel.now
        shared = try SharedState(shardCount: 1, connectionsMax: configuration.maxConnections)
        inbox = try Inbox(countMax: 1000)
        let settings = ShardSettings(configuration, .simulated(lot), index: 0, shared: shared, inbox: inbox)
        let listener = kernel.listen(inboundMax: inboundMax, outboundMax: outboundMax)
        let listeners = [ShardListener(listener.descriptor, listener: 0, sharesOut: false)]
        shard = try Shard(io: SimulatedRing(kernel), listeners: listeners, settings)
        shard.start()
        settle()
    }

    deinit {
        inbox.close()
        lot.open()
    }

    // `#expect` takes copies only, and a shard is none.
    var counters: ShardCounters { shard.state.pointee.counters }
    var isDone: Bool { shard.isDone }
    var byteCountInUse: Int { shard.state.pointee.pool.byteCountInUse }
    var asyncReplyCount: Int { shard.state.pointee.asyncReplies.count }

    /// Turn until nothing more happens at this time.
    func settle() {
        kernel.horizon = kernel.now
        for _ in 0..<Rig.turnsMax {
            let before = counters.completions.count
            if shard.isDone || kernel.violation != nil { return }
            shard.turn()
            if counters.completions.count == before { return }
        }
        kernel.report(.endlessTurns, "at one time")
    }

    /// Turn until so much after the start.
    func run(until time: Nanoseconds) {
        while kernel.now < start + time, !shard.isDone, kernel.violation == nil {
            kernel.horizon = start + time
            shard.turn()
        }
        settle()
    }

    func connect(from host: HostAddress? = nil) -> HandPeer {
        let peer = HandPeer(kernel, from: host)
        settle()
        return peer
    }

    /// The connection of a peer, while it has a slot.
    func connection(of peer: HandPeer) -> Connection? {
        for slot in 0..<UInt32(shard.state.pointee.slab.slotCount) where shard.state.pointee.slab.isOccupied(slot) {
            let connection = shard.state.pointee.slab[slot].pointee
            if connection.descriptor == peer.socket?.descriptor { return connection }
        }
        return nil
    }

    func token(of peer: HandPeer) -> ConnectionToken? {
        for slot in 0..<UInt32(shard.state.pointee.slab.slotCount) where shard.state.pointee.slab.isOccupied(slot) {
            let connection = shard.state.pointee.slab[slot].pointee
            guard connection.descriptor == peer.socket?.descriptor else { continue }
            return ConnectionToken(shard: 0, generation: connection.generation, slot: slot)
        }
        return nil
    }
}

/// The far end of a connection, told what to do by a test.
final class HandPeer: SocketPeer {
    private unowned let kernel: SimulatedKernel
    private(set) var socket: SimulatedSocket?
    private var unsent = ByteQueue()
    private var isPushing = false

    init(_ kernel: SimulatedKernel, from host: HostAddress? = nil) {
        self.kernel = kernel
        socket = kernel.connect(to: kernel.listeners[0], self, from: host)
    }

    /// When there is room in the socket again, what waited goes on; one step later, since the kernel is at work on it.
    func socketChanged() {
        if isPushing { return }
        isPushing = true
        kernel.agenda.add({ [unowned self] in push() }, at: kernel.now)
    }

    private func push() {
        isPushing = false
        guard let socket, !unsent.isEmpty else { return }
        _ = kernel.write(&unsent, countMax: .max, to: socket)
    }

    func send(_ bytes: [UInt8]) {
        unsent.append(bytes)
        push()
    }

    func finish() { if let socket { kernel.finish(socket) } }
    func reset() { if let socket { kernel.reset(socket) } }

    /// What has arrived, at most so much of it.
    func read(countMax: Int = .max) -> [UInt8] {
        guard let socket else { return [] }
        var bytes = ByteQueue()
        _ = kernel.read(&bytes, countMax: countMax, from: socket)
        return bytes.withBytes { Array($0) }
    }

    var unsentByteCount: Int { unsent.count }
    /// It has read all that was sent, and then a FIN.
    var sawFinish: Bool { socket.map { $0.finished && $0.outbound.isEmpty && !$0.reset } ?? false }
    var sawReset: Bool { socket?.reset ?? false }
}

/// For long arrays: `#expect(a == b)` would search for the difference.
func isSame(_ left: [UInt8], _ right: [UInt8]) -> Bool { left == right }
