// How bytes come in when the kernel is short of buffers, stingy with bytes, or done with a receive.

import ApusReactor
import ApusServer
import Testing

@Suite struct ReceiveTests {
    /// Six connections, two buffers, all at once: every receive ends with ENOBUFS again and again; none is forgotten.
    @Test func starvationOfEveryConnectionAtOnce() throws {
        let rig = try Rig(bufferCount: 2, bufferByteCount: 64)
        let request = Wire.echo(Array(repeating: 0x62, count: 500))
        let peers = (0..<6).map { _ in rig.connect() }
        for peer in peers { peer.send(request) }
        rig.settle()
        for peer in peers { #expect(peer.read() == request) }
        #expect(rig.counters.starvedReceives.count >= 6)
        #expect(rig.kernel.violation == nil)
    }

    /// Nobody else brings a buffer back: the receive that starved must be armed again all the same, and only once.
    @Test func starvationIsRetriedOncePerTurn() throws {
        let rig = try Rig(bufferCount: 1, bufferByteCount: 16)
        let peer = rig.connect()
        let turns = rig.counters.turns.count
        peer.send(Wire.echo(Array(repeating: 0x62, count: 320)))
        rig.settle()
        #expect(peer.read() == Wire.echo(Array(repeating: 0x62, count: 320)))
        #expect(rig.counters.turns.count - turns <= 2 * (341 / 16 + 3))
    }

    @Test func largePacketInReceivesOfOneByte() throws {
        let rig = try Rig(bufferCount: 64, bufferByteCount: 1)
        let peer = rig.connect()
        let request = Wire.echo(Wire.text(200 << 10, &rig.kernel.random))
        peer.send(request)
        rig.settle()
        var received: [UInt8] = []
        while received.count < request.count {
            let bytes = peer.read()
            if bytes.isEmpty { break }
            received += bytes
            rig.settle()
        }
        #expect(isSame(received, request))
        #expect(rig.kernel.tally.bytesReceived == UInt64(request.count))
        #expect(rig.connection(of: peer)?.inbound.chunkByteCount == 0)
    }

    /// Each wrong byte is refused as soon as it is there, and what came before it is answered.
    @Test(arguments: [0, 1, 2, 3, 4])
    func aWrongHeaderByteIsRefusedAtOnce(_ offset: Int) throws {
        let rig = try Rig(bufferByteCount: 1)
        let peer = rig.connect()
        var header = Wire.header(payloadByteCount: 4)
        header[offset] = 0xFF
        peer.send(Wire.ping + header.prefix(offset + 1))
        rig.settle()
        #expect(peer.read() == Wire.pong)
        #expect(peer.sawFinish)
        peer.finish()
        rig.settle()
        #expect(rig.counters.closed(offset == 4 ? .unsupportedVersion : .wrongMagic) == 1)
    }

    /// What a peer goes on sending behind its DISCONNECT must not turn the close into a reset: it has replies to read.
    @Test func bytesBehindADisconnectDoNotResetReplies() throws {
        let rig = try Rig()
        let peer = rig.connect()
        peer.send(Wire.ping + Wire.disconnect + Array(repeating: 0x2E, count: 10_000))
        rig.settle()
        peer.send(Array(repeating: 0x2E, count: 10_000))
        rig.run(until: 1900 * .millisecond)
        peer.send([0x2E])
        rig.settle()
        #expect(!peer.sawReset)
        #expect(peer.read() == Wire.pong)
        #expect(peer.sawFinish)
        peer.finish()
        rig.settle()
        #expect(rig.counters.closed(.disconnect) == 1)
        #expect(rig.kernel.violation == nil)
    }
}
