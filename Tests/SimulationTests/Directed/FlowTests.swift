// What holds requests back, and what lets them go on.

import ApusReactor
import ApusServer
import Testing

@Suite struct FlowTests {
    /// Requests stop at the limit of outstanding bytes, and go on below half of it, not before.
    @Test func outstandingBytesPauseAndResumeBelowHalf() throws {
        let rig = try Rig(outboundMax: 64) { $0.outstandingByteCountMax = 8192 }
        let peer = rig.connect()
        let request = Wire.echo(Array(repeating: 0x63, count: 100))
        for _ in 0..<200 { peer.send(request) }
        rig.settle()
        var received: [UInt8] = []
        var (before, resumes) = (rig.counters.packetsReceived.count, 0)
        #expect(rig.connection(of: peer)?.isPaused == true)
        while received.count < 200 * request.count {
            let bytes = peer.read()
            #expect(!bytes.isEmpty)
            if bytes.isEmpty { break }
            received += bytes
            let outstanding = rig.connection(of: peer)?.outbound.byteCount ?? 0
            rig.settle()
            let after = rig.counters.packetsReceived.count
            if after > before {
                resumes += 1
                #expect(outstanding - 64 < 4096)
                #expect((rig.connection(of: peer)?.outbound.byteCount ?? 0) < 8192 + request.count)
            } else {
                #expect(outstanding - 64 >= 4096 || after == 200)
            }
            before = after
        }
        #expect(isSame(received, Array(repeating: request, count: 200).flatMap { $0 }))
        #expect(resumes >= 2)
        #expect(rig.kernel.violation == nil)
    }

    /// A connection that may not read on leaves the rest in the socket, so that TCP holds the peer back.
    @Test func theBacklogOfAPausedConnectionIsBounded() throws {
        let rig = try Rig(bufferCount: 4, bufferByteCount: 4096, inboundMax: 8192, outboundMax: 64) {
            $0.outstandingByteCountMax = 4096
        }
        let peer = rig.connect()
        let request = Wire.echo(Array(repeating: 0x63, count: 1000))
        for _ in 0..<300 { peer.send(request) }
        rig.settle()
        let paused = try #require(rig.connection(of: peer))
        #expect(paused.isPaused && !paused.receiving)
        #expect((65_536..<65_536 + 4 * 4096).contains(paused.inbound.byteCount))
        #expect(peer.socket?.inboundRoom == 0)
        #expect(peer.unsentByteCount > 200_000)
        var received: [UInt8] = []
        while received.count < 300 * request.count {
            let bytes = peer.read()
            if bytes.isEmpty { break }
            received += bytes
            rig.settle()
        }
        #expect(isSame(received, Array(repeating: request, count: 300).flatMap { $0 }))
    }

    /// Asynchronous replies that come in the wrong order leave in the right one, and a PING waits behind them.
    @Test func asynchronousRepliesKeepTheOrderOfRequests() throws {
        let rig = try Rig { $0.backpressureLimit = 3 }
        let peer = rig.connect()
        for _ in 0..<4 { peer.send(Wire.custom("ASYNC", [])) }
        peer.send(Wire.ping)
        rig.settle()
        let token = try #require(rig.token(of: peer))
        #expect(rig.connection(of: peer)?.asyncOutstanding == 3)
        func answer(_ sequence: UInt32) {
            let packet = Wire.custom("ANSWER", [UInt8(sequence)])
            #expect(rig.inbox.post(.asyncReply(token, sequence: sequence, packet: packet, failed: false)))
            rig.settle()
        }
        answer(2)
        answer(1)
        #expect(peer.read() == [])
        answer(0)
        #expect(peer.read() == (0..<3).flatMap { Wire.custom("ANSWER", [$0]) })
        #expect(rig.connection(of: peer)?.asyncOutstanding == 1)
        answer(3)
        #expect(peer.read() == Wire.custom("ANSWER", [3]) + Wire.pong)
        #expect(rig.asyncReplyCount == 0)
    }
}
