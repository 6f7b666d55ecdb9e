// One side of a connection in memory, with small rooms if a test wants them, and the wire between two of them.

import Testing

@testable import ApusSecurity

/// How much a side gets at a time.
struct Rooms: Sendable {
    var wire = Int.max
    var plaintext = 32 << 10
    var records = 32 << 10
}

final class TLSEnd {
    var session: TLSSession
    let rooms: Rooms
    /// Came from the other side and was not taken yet.
    var inbound: [UInt8] = []
    /// To be carried to the other side.
    var outbound: [UInt8] = []
    var heard: [UInt8] = []
    /// What is to be said.
    var unsaid: [UInt8] = []
    var state = TLSState.handshaking

    init(_ context: borrowing TLSContext, resuming: TLSResumption? = nil, rooms: Rooms = Rooms()) throws {
        session = try TLSSession(context, resuming: resuming)
        self.rooms = rooms
    }

    var failure: TLSFailure? {
        guard case .failed(let failure) = state else { return nil }
        return failure
    }

    // `#expect` cannot look into a session itself, which does not copy.
    var isHandshakeComplete: Bool { session.isHandshakeComplete }
    var isResumed: Bool { session.isResumed }

    var isComplete: Bool { session.isHandshakeComplete && failure == nil }

    /// Takes what came and says what it can. False when nothing moved.
    func turn() -> Bool {
        let heardSome = receive()
        guard failure == nil, !unsaid.isEmpty, session.isHandshakeComplete, !session.isClosed else { return heardSome }
        return send() || heardSome
    }

    private func receive() -> Bool {
        let wire = Array(inbound.prefix(rooms.wire))
        let before = state
        var plaintext = [UInt8](repeating: 0xEE, count: rooms.plaintext)
        var records = [UInt8](repeating: 0xEE, count: rooms.records)
        let step = wire.withUnsafeBytes { wire in
            plaintext.withUnsafeMutableBytes { plaintext in
                records.withUnsafeMutableBytes { session.receive(wire, plaintext: plaintext, records: $0) }
            }
        }
        check(step, wire: wire, records: records)
        inbound.removeFirst(step.wireByteCount)
        heard += plaintext.prefix(step.plaintextByteCount)
        let behind = plaintext.dropFirst(step.plaintextByteCount).prefix(16)
        #expect(behind.allSatisfy { $0 == 0xEE } || step.state.isFailure)
        outbound += records.prefix(step.recordByteCount)
        state = step.state
        return step.wireByteCount + step.plaintextByteCount + step.recordByteCount > 0 || state != before
    }

    private func check(_ step: TLSStep, wire: [UInt8], records: [UInt8]) {
        #expect((0...wire.count).contains(step.wireByteCount))
        #expect((0...rooms.plaintext).contains(step.plaintextByteCount))
        #expect((0...rooms.records).contains(step.recordByteCount))
        #expect(records.dropFirst(step.recordByteCount).prefix(16).allSatisfy { $0 == 0xEE })
        if step.state == .open || step.state == .handshaking { #expect(step.wireByteCount == wire.count) }
    }

    private func send() -> Bool {
        let before = unsaid.count
        var records = [UInt8](repeating: 0xEE, count: rooms.records)
        let step = unsaid.withUnsafeBytes { unsaid in
            records.withUnsafeMutableBytes { session.send(unsaid, records: $0) }
        }
        #expect(step.wireByteCount == 0)
        if step.state == .open { #expect(step.plaintextByteCount == unsaid.count) }
        unsaid.removeFirst(step.plaintextByteCount)
        outbound += records.prefix(step.recordByteCount)
        if step.state.isFailure { state = step.state }
        return step.recordByteCount > 0 || unsaid.count != before
    }

    /// Says close_notify, with as many rooms as it takes.
    func close() {
        var records = [UInt8](repeating: 0xEE, count: rooms.records)
        while true {
            let step = records.withUnsafeMutableBytes { session.close(records: $0) }
            outbound += records.prefix(step.recordByteCount)
            guard step.state == .wantsRecordRoom else { return }
        }
    }
}

extension TLSState {
    var isFailure: Bool {
        if case .failed = self { true } else { false }
    }
}

/// A client, a server and nothing between them.
struct TLSPair {
    let client: TLSEnd
    let server: TLSEnd

    init(client: TLSEnd, server: TLSEnd) { (self.client, self.server) = (client, server) }

    /// Until neither side has anything to say.
    func run() {
        var isMoving = true
        while isMoving {
            isMoving = client.turn()
            isMoving = carry(client, to: server) || isMoving
            isMoving = server.turn() || isMoving
            isMoving = carry(server, to: client) || isMoving
        }
    }

    /// False when there was nothing to carry.
    @discardableResult
    func carry(_ source: TLSEnd, to target: TLSEnd) -> Bool {
        defer { source.outbound = [] }
        target.inbound += source.outbound
        return !source.outbound.isEmpty
    }

    /// Each says something and the other hears it.
    func exchange(_ toServer: [UInt8] = Array("ping".utf8), _ toClient: [UInt8] = Array("pong".utf8)) {
        let (heardByServer, heardByClient) = (server.heard.count, client.heard.count)
        client.unsaid += toServer
        server.unsaid += toClient
        run()
        #expect(Array(server.heard.dropFirst(heardByServer)) == toServer)
        #expect(Array(client.heard.dropFirst(heardByClient)) == toClient)
    }
}

// MARK: Settings for tests

/// Two contexts that suit each other, unless `change…` sees to it that they do not.
func makePair(
    client changeClient: (inout TLSSettings) -> Void = { _ in },
    server changeServer: (inout TLSSettings) -> Void = { _ in }, rooms: Rooms = Rooms()
) throws -> TLSPair {
    TLSPair(
        client: try TLSEnd(clientContext(changeClient), rooms: rooms),
        server: try TLSEnd(serverContext(change: changeServer), rooms: rooms))
}

func serverSettings(_ identity: TestIdentity? = nil) throws -> TLSSettings {
    let identity = try identity ?? TestIdentities.shared.get().server
    return .server(certificateChain: identity.chain, privateKey: identity.key)
}

func serverContext(
    tickets: TicketKeys = TicketKeys(nowSeconds: 0), change: (inout TLSSettings) -> Void = { _ in }
) throws -> TLSContext {
    var settings = try serverSettings()
    change(&settings)
    return try TLSContext(server: TLSMaterial(settings), tickets: tickets)
}

func clientSettings() throws -> TLSSettings {
    .client(serverName: "relay.test", authorities: .pem(try TestIdentities.shared.get().authority.chain))
}

func clientContext(_ change: (inout TLSSettings) -> Void = { _ in }) throws -> TLSContext {
    var settings = try clientSettings()
    change(&settings)
    return try TLSContext(client: TLSMaterial(settings))
}

extension TLSSettings {
    mutating func only(_ version: TLSVersion) { (versionMin, versionMax) = (version, version) }

    mutating func use(_ identity: TestIdentity) {
        certificateChain = identity.chain
        privateKey = identity.key
    }
}

extension CertificatePin {
    init(of identity: TestIdentity) throws {
        let text = try openssl(["x509", "-in", identity.chainPath, "-noout", "-fingerprint", "-sha256"])
        let digits = String(decoding: text, as: UTF8.self).split(separator: "=").last.map(String.init) ?? ""
        self = try #require(CertificatePin(hex: digits.filter { !$0.isWhitespace }))
    }
}
