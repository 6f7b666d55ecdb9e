// Peers that take time or places without giving anything for it, and honest ones that look a little like them.

import ApusReactor
import ApusServer
import Testing

@Suite struct DefenceTests {
    private static let tick: Nanoseconds = .millisecond

    /// 10 s, and a byte for every 1/1000 s.
    private func rig(
        outboundMax: Int = 65_536, _ change: (inout ServerConfiguration) -> Void = { _ in }
    ) throws -> Rig {
        try Rig(outboundMax: outboundMax) {
            $0.slowPeerGrace = .seconds(10)
            $0.peerByteRateMin = 1000
            change(&$0)
        }
    }

    // MARK: Slow requests

    @Test(arguments: [1, 8, 9, 13, 500])
    func aPacketThatDoesNotGetOnIsClosed(_ byteCount: Int) throws {
        let rig = try rig()
        let peer = rig.connect()
        rig.run(until: 3 * .second)
        peer.send(Array(Wire.echo(Array(repeating: 0x61, count: 1000)).prefix(byteCount)))
        let due = 13 * .second + Nanoseconds(byteCount) * .millisecond
        rig.run(until: due - 1)
        #expect(rig.connection(of: peer)?.phase == .open)
        rig.run(until: due + Self.tick)
        #expect(rig.counters.closed(.slowRequest) == 1)
        #expect(peer.sawReset || peer.sawFinish)
        #expect(rig.kernel.violation == nil)
    }

    /// It announces much and sends a byte a second: what was announced buys no time.
    @Test func whoDribblesIsClosedHoweverMuchItAnnounced() throws {
        let rig = try rig()
        let peer = rig.connect()
        peer.send(Wire.header(payloadByteCount: 1 << 20))
        for second in 1...9 as ClosedRange<UInt64> {
            rig.run(until: second * .second)
            peer.send([0])
        }
        rig.run(until: 10 * .second)
        #expect(rig.connection(of: peer)?.phase == .open)
        rig.run(until: 10 * .second + 20 * .millisecond)
        #expect(rig.counters.closed(.slowRequest) == 1)
    }

    /// Slow, but at the rate that is asked of it: it may take all day.
    @Test func whoIsSlowAndSteadyIsServed() throws {
        let rig = try rig()
        let peer = rig.connect()
        let request = Wire.echo(Array(repeating: 0x61, count: 60_000))
        for (second, start) in stride(from: 0, to: request.count, by: 1000).enumerated() {
            rig.run(until: UInt64(second) * .second)
            peer.send(Array(request[start..<min(start + 1000, request.count)]))
        }
        rig.settle()
        #expect(isSame(peer.read(), request))
        #expect(rig.connection(of: peer)?.phase == .open)
    }

    /// Packets that end and begin in the same bytes: each has its own time.
    @Test func theNextPacketsClockIsItsOwn() throws {
        let rig = try rig()
        let peer = rig.connect()
        let request = Wire.echo(Array("abcdefgh".utf8))
        peer.send(Array(request.prefix(15)))
        for round in 1...10 as ClosedRange<UInt64> {
            rig.run(until: round * 9 * .second)
            peer.send(Array(request.dropFirst(15)) + Array(request.prefix(15)))
            rig.settle()
            #expect(peer.read() == request)
        }
        rig.run(until: 90 * .second + 10 * .second + 14 * .millisecond)
        #expect(rig.connection(of: peer)?.phase == .open)
        rig.run(until: 90 * .second + 10 * .second + 17 * .millisecond)
        #expect(rig.counters.closed(.slowRequest) == 1)
    }

    /// While its requests wait for something of ours, the peer cannot send the rest.
    @Test func theClockStandsWhileWeDoNotRead() throws {
        let rig = try rig { $0.backpressureLimit = 1 }
        let peer = rig.connect()
        peer.send(Wire.custom("ASYNC", []) + Wire.ping + Array(Wire.ping.prefix(5)))
        rig.run(until: 60 * .second)
        let token = try #require(rig.token(of: peer))
        #expect(rig.connection(of: peer)?.isPaused == true)
        #expect(rig.inbox.post(.asyncReply(token, sequence: 0, packet: Wire.pong, failed: false)))
        rig.run(until: 70 * .second)
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(peer.read() == Wire.pong + Wire.pong)
        rig.run(until: 70 * .second + 10 * .millisecond)
        #expect(rig.counters.closed(.slowRequest) == 1)
    }

    /// What came while the process was stopped is read before anybody is called late, and only then.
    @Test(arguments: [true, false]) func timeInWhichWeStoodStillIsNotThePeers(_ isSent: Bool) throws {
        let rig = try rig { $0.heartbeatInterval = .seconds(5) }
        let peer = rig.connect()
        let request = Wire.echo(Array("in two halves".utf8))
        peer.send(Array(request.prefix(15)))
        rig.settle()
        if isSent { rig.kernel.agenda.add({ peer.send(Array(request.dropFirst(15))) }, at: rig.kernel.now + .second) }
        rig.kernel.standstill = 300 * .second
        rig.run(until: 301 * .second)
        #expect(peer.read().starts(with: isSent ? request : []))
        #expect(rig.counters.closed(.slowRequest) == (isSent ? 0 : 1))
        #expect((rig.connection(of: peer) != nil) == isSent)
        #expect(rig.kernel.violation == nil)
    }

    @Test func aPeerWithoutAnUnfinishedPacketMayBeSilent() throws {
        let rig = try rig()
        let peer = rig.connect()
        peer.send(Wire.ping)
        rig.run(until: 3600 * .second)
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(rig.counters.turns.count < 100)
    }

    // MARK: Slow consumers

    /// It takes a byte in good time, again and again: no send stands still, and nothing gets on.
    @Test func whoSipsItsRepliesIsClosed() throws {
        let rig = try rig(outboundMax: 100)
        let peer = rig.connect()
        // 13 bytes of header, kind and length are in it.
        peer.send(Wire.echo(Array(repeating: 0x61, count: 2000 - 21)))
        for second in 1...11 as ClosedRange<UInt64> {
            rig.run(until: second * .second)
            _ = peer.read(countMax: 1)
        }
        rig.run(until: 12 * .second - 1)
        #expect(rig.connection(of: peer)?.phase == .open)
        rig.run(until: 12 * .second + Self.tick)
        #expect(rig.counters.closed(.slowConsumer) == 1)
        #expect(rig.kernel.violation == nil)
    }

    /// The same while the connection only finishes: what is owed to it does not last for ever either.
    @Test func whoSipsItsLastRepliesIsClosed() throws {
        let rig = try rig(outboundMax: 100)
        let peer = rig.connect()
        peer.send(Wire.echo(Array(repeating: 0x61, count: 2000 - 21)) + Wire.disconnect)
        for second in 1...13 as ClosedRange<UInt64> {
            rig.run(until: second * .second)
            _ = peer.read(countMax: 1)
        }
        #expect(rig.connection(of: peer) == nil)
        #expect(rig.kernel.violation == nil)
    }

    // MARK: Control floods

    /// Twice the rate at once, and the next ends the connection.
    @Test(arguments: [Wire.ping, Wire.pong, Wire.unknown, Wire.custom("NOBODY", [0x61])])
    func whatAsksForNothingHasABudget(_ packet: [UInt8]) throws {
        let rig = try rig { $0.controlRateMax = 50 }
        let peer = rig.connect()
        for _ in 0..<100 { peer.send(packet) }
        rig.settle()
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(rig.counters.packetsReceived.count == 100)
        peer.send(packet)
        rig.settle()
        #expect(rig.connection(of: peer)?.phase == .lingering)
        #expect(rig.connection(of: peer)?.reason == .controlFlood)
        rig.run(until: 10 * .second)
        #expect(rig.counters.closed(.controlFlood) == 1)
    }

    @Test func theBudgetComesBack() throws {
        let rig = try rig { $0.controlRateMax = 50 }
        let peer = rig.connect()
        for _ in 0..<100 { peer.send(Wire.ping) }
        rig.settle()
        for step in 1...100 as ClosedRange<UInt64> {
            rig.run(until: step * 20 * .millisecond)
            peer.send(Wire.ping)
        }
        rig.settle()
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(peer.read().count == 200 * Wire.pong.count)
    }

    @Test func requestsAreNotCounted() throws {
        let rig = try rig { $0.controlRateMax = 1 }
        let peer = rig.connect()
        for number in 0..<1000 { peer.send(number % 2 == 0 ? Wire.echo([0x61]) : Wire.custom("SYNC", [0x61])) }
        rig.settle()
        #expect(rig.connection(of: peer)?.phase == .open)
        #expect(rig.counters.packetsReceived.count == 1000)
    }

    // MARK: Addresses

    private static let near = HostAddress(ipv4: 0x7F00_0001)
    private static let first = HostAddress(ipv4: 0xC000_0201)
    private static let second = HostAddress(ipv4: 0xC000_0202)

    @Test func anAddressHasSoManyConnections() throws {
        let rig = try rig { $0.addressLimits.connectionsMax = 2 }
        let peers = (0..<3).map { _ in rig.connect(from: Self.first) }
        #expect(rig.counters.refused(.addressLimit) == 1)
        #expect(rig.connection(of: peers[2]) == nil)
        #expect(rig.connection(of: rig.connect(from: Self.second)) != nil)
        peers[0].finish()
        rig.settle()
        #expect(rig.connection(of: rig.connect(from: Self.first)) != nil)
        #expect(rig.shared.hosts.connectionCount == 3)
        #expect(rig.kernel.violation == nil)
    }

    @Test func anAddressOpensThemAtARate() throws {
        let rig = try rig {
            $0.maxConnections = 100
            $0.addressLimits.connectionsPerSecondMax = 10
            $0.addressLimits.connectionBurstMax = 3
        }
        for _ in 0..<5 { _ = rig.connect(from: Self.first) }
        #expect(rig.counters.accepted.count == 3)
        #expect(rig.counters.refused(.addressRate) == 2)
        rig.run(until: 100 * .millisecond)
        for _ in 0..<2 { _ = rig.connect(from: Self.first) }
        #expect(rig.counters.accepted.count == 4)
        for _ in 0..<3 { _ = rig.connect(from: Self.second) }
        #expect(rig.counters.accepted.count == 7)
    }

    /// Loopback by default, UNIX sockets always, and the networks that are named.
    @Test func whoIsTrustedIsNotLimited() throws {
        let rig = try rig {
            $0.maxConnections = 100
            $0.addressLimits.connectionsMax = 1
            $0.addressLimits.trustedNetworks = ["192.0.2.2", "2001:db8::/32"]
        }
        let trusted = [nil, Self.near, Self.second, HostAddress(high: 0x2001_0DB8_0000_0001, low: 7)]
        for host in trusted { for _ in 0..<3 { _ = rig.connect(from: host) } }
        #expect(rig.counters.accepted.count == 12)
        for _ in 0..<3 { _ = rig.connect(from: Self.first) }
        #expect(rig.counters.accepted.count == 13)
        #expect(rig.counters.refused(.addressLimit) == 2)
    }

    /// An IPv6 network of 64 bits is one address; the next network is another.
    @Test func anIPv6SiteIsOneAddress() throws {
        let rig = try rig {
            $0.addressLimits.connectionsMax = 1
            $0.addressLimits.isLoopbackTrusted = false
        }
        for low in 1...3 as ClosedRange<UInt64> { _ = rig.connect(from: HostAddress(high: 0x2001 << 48, low: low)) }
        _ = rig.connect(from: HostAddress(high: 0x2001 << 48 | 1, low: 1))
        _ = rig.connect(from: Self.near)
        _ = rig.connect(from: Self.near)
        #expect(rig.counters.accepted.count == 3)
        #expect(rig.counters.refused(.addressLimit) == 3)
    }

    /// A connection that the process has no place for is not its address's either.
    @Test func whoIsRefusedOtherwiseIsNotCounted() throws {
        let rig = try rig { $0.maxConnections = 1 }
        for _ in 0..<3 { _ = rig.connect(from: Self.first) }
        #expect(rig.counters.refused(.connectionLimit) == 2)
        #expect(rig.shared.hosts.connectionCount == 1)
    }
}
