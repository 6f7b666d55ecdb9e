// Two roles against each other without a network, and somebody in between who may alter what they say.

import ApusSecurity

/// What a session came to.
struct SessionFacts: Equatable {
    var peerIdentity: [UInt8]?
    var isAuthenticated = false
    var compression: UInt8?
    var isV1 = false

    init(peerIdentity: [UInt8]? = nil, isAuthenticated: Bool = false, compression: UInt8? = nil, isV1: Bool = false) {
        (self.peerIdentity, self.isAuthenticated) = (peerIdentity, isAuthenticated)
        (self.compression, self.isV1) = (compression, isV1)
    }

    init(_ session: borrowing EstablishedSession) {
        self.init(
            peerIdentity: session.peerIdentity, isAuthenticated: session.isAuthenticated,
            compression: session.compression, isV1: session.isV1)
    }
}

enum Side: Equatable {
    case client
    case server
}

enum Flight: Equatable, CaseIterable {
    case initiation
    case response
    case confirm
}

enum Outcome: Equatable {
    /// Both have a session, and what one seals the other opens.
    case established(client: SessionFacts, server: SessionFacts)
    /// Both have a session, and the keys differ.
    case differentKeys
    case refused(by: Side, HandshakeRefusal)
}

/// One handshake between two settings.
struct HandshakeRig {
    /// 2023-11-14, that of the golden vectors.
    static let wall: UInt64 = 1_700_000_000_000
    static let now = HandshakeMoment(wallMilliseconds: wall, monotonicNanoseconds: 1_000_000_000_000)

    var client = HandshakeSettings()
    var server = HandshakeSettings()
    var replay = ReplayTable(handshakesPerSecond: 100)
    /// Who sits between the two.
    var alter: (Flight, inout [UInt8]) -> Void = { _, _ in }

    func run() -> Outcome {
        var client = ClientHandshake(client)
        var server = ServerHandshake(server)
        var message = client.start(wallMilliseconds: Self.wall)
        alter(.initiation, &message)
        do throws(HandshakeRefusal) {
            message = try server.reply(to: message, replay: replay)
        } catch {
            return .refused(by: .server, error)
        }
        alter(.response, &message)
        let atClient: EstablishedSession
        do throws(HandshakeRefusal) {
            atClient = try client.receive(message.span.bytes)
        } catch {
            return .refused(by: .client, error)
        }
        message = atClient.confirm
        alter(.confirm, &message)
        do throws(HandshakeRefusal) {
            return outcome(atClient, try server.establish(message, replay: replay))
        } catch {
            return .refused(by: .server, error)
        }
    }

    private func outcome(_ client: consuming EstablishedSession, _ server: consuming EstablishedSession) -> Outcome {
        let facts = (SessionFacts(client), SessionFacts(server))
        var clientEnd = SealedEnd(client)
        var serverEnd = SealedEnd(server)
        let question = Array("ping".utf8)
        do throws(SealedViolation) {
            let heard = try serverEnd.open(clientEnd.seal(question))
            let answer = try clientEnd.open(serverEnd.seal(heard))
            precondition(answer == question, "a channel opened to other bytes")
            return .established(client: facts.0, server: facts.1)
        } catch {
            return .differentKeys
        }
    }
}

extension SealedEnd {
    init(_ session: consuming EstablishedSession) { self.init(session.channel) }
}

extension ServerHandshake {
    /// Response's payload.
    mutating func reply(
        to payload: [UInt8], from peer: UInt64 = 1, at moment: HandshakeMoment = HandshakeRig.now, replay: ReplayTable
    ) throws(HandshakeRefusal) -> [UInt8] {
        switch try receive(payload.span.bytes, from: peer, at: moment, replay: replay) {
        case .reply(let response): return response
        case .established: preconditionFailure("established by Init")
        }
    }

    mutating func establish(
        _ payload: [UInt8], from peer: UInt64 = 1, at moment: HandshakeMoment = HandshakeRig.now, replay: ReplayTable
    ) throws(HandshakeRefusal) -> EstablishedSession {
        switch try receive(payload.span.bytes, from: peer, at: moment, replay: replay) {
        case .reply: preconditionFailure("answered Confirm")
        case .established(let session): return session
        }
    }
}

extension HandshakeSettings {
    /// As the first NPRO daemon and its client.
    static var plainV1: HandshakeSettings {
        var settings = HandshakeSettings()
        settings.speaksExtension = false
        return settings
    }

    static func with(_ change: (inout HandshakeSettings) -> Void) -> HandshakeSettings {
        var settings = HandshakeSettings()
        change(&settings)
        return settings
    }
}

/// Keys that several tests use. Only public ones and the tests' own.
enum TestKeys {
    static let presharedKey = PresharedKey(bytes(0x50).span.bytes)
    static let otherPresharedKey = PresharedKey(bytes(0x51).span.bytes)
    static let client = IdentityKey(seed: SecretKey32(bytes(0xC0)))
    static let server = IdentityKey(seed: SecretKey32(bytes(0x5E)))
    static let stranger = IdentityKey(seed: SecretKey32(bytes(0x99)))

    static func bytes(_ byte: UInt8) -> [UInt8] { [UInt8](repeating: byte, count: 32) }
}
