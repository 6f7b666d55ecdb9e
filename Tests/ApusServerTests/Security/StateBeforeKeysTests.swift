// What a stranger has of the server's memory before it has proven anything.

import ApusReactor
import ApusSecurity
import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct StateBeforeKeysTests {
    /// A slot, its handshake's object, its timer, its places in the list of touched slots and in the hosts' table.
    @Test func aStrangerHasLessThanAKibibyte() {
        let slot = MemoryLayout<Connection>.stride
        let slabTables = MemoryLayout<UInt32>.size * 3 + 1
        let timer = 32
        let host = 2 * 16
        let handshake = MemoryLayout<ServerHandshake>.stride
        let sum = slot + slabTables + timer + host + handshake
        print("before its keys a connection has \(sum) bytes: slot \(slot), handshake \(handshake)")
        #expect(sum <= 1024)
        let peer = MemoryLayout<RelayPeer>.stride
        print("before its login a relay's peer has \(sum - handshake + peer) bytes: \(peer) of them the relay's")
        #expect(sum - handshake + peer <= 1024)
    }

    /// A part of a packet takes a buffer of the smallest size, whatever it announces; too much is refused.
    @Test func whatItAnnouncesBuysNoMemory() async throws {
        try await withServer(.newest) { server in
            server.configuration.listeners[0].security = .handshake(.init())
            server.configuration.handshakeTimeout = .milliseconds(300)
        } _: { server in
            let header: [UInt8] = [0x4E, 0x50, 0x52, 0x4F, 1, 0, 0]
            let modest = try server.connect()
            try modest.send(bytes: header + [4, 0])
            #expect(try modest.read() == nil)
            #expect(server.closed(.handshakeTimeout))
            let greedy = try server.connect()
            try greedy.send(bytes: header + [4, 1])
            #expect(try greedy.read() == nil)
            #expect(server.closed(.oversizePacket))
        }
    }

    /// A request's line and fields are refused where they become too long, so that an unfinished one fits a buffer of
    /// 16 KiB: what the documentation says a stranger may hold of it.
    @Test func anUnfinishedRequestIsBounded() async throws {
        let limits = HTTPLimits()
        #expect(limits.requestByteCountMax - limits.bodyByteCountMax <= 16 << 10)
        try await withRelay { server in
            for (head, more) in [
                ("GET /", String(repeating: "a", count: 4096)),
                (String(RelayClient.request().dropLast(2)) + "X: ", String(repeating: "a", count: 16 << 10)),
            ] {
                let peer = try server.connect()
                try peer.send(bytes: Array((head + more).utf8))
                #expect(String(decoding: try peer.readSome(), as: UTF8.self).hasPrefix("HTTP/1.1 4"))
            }
            #expect(server.closed(.badRequest, 2))
        }
    }
}
