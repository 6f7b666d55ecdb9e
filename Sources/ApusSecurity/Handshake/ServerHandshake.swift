// The server's side of a handshake: reads Init, says Response, reads Confirm, has keys. It knows nothing of sockets and
// clocks.

import ApusWire

/// One handshake. The whole of it should have one deadline, which is the caller's. Nothing is drawn before Init was
/// checked, and version 1 agrees on a secret only after Confirm was.
///
///     state           message    → state        and what is done
///     ready           Init       → waiting      Response; or a refusal
///     ready           other      → finished     a refusal
///     waiting         Confirm    → finished     sealed packets; or a refusal
///     waiting         other      → finished     a refusal
///     finished        any        → finished     `unexpectedMessage`
public struct ServerHandshake: ~Copyable {
    private enum State {
        case ready
        case waiting
        case finished
    }

    private let settings: HandshakeSettings
    private var state = State.ready
    private var randomness: HandshakeRandomness?
    /// Version 1: until Confirm.
    private var privateKey: X25519.PrivateKey?
    /// The extension: until Confirm.
    private var secret: SecretKey32?
    private var showsIdentity = false
    private var compression: UInt8 = 0
    private var nonce: [UInt8] = []
    private var noncePrefix: [UInt8] = []
    private var transcript = Transcript()

    public init(_ settings: HandshakeSettings) { self.settings = settings }

    package init(_ settings: HandshakeSettings, randomness: consuming HandshakeRandomness) {
        self.settings = settings
        self.randomness = consume randomness
    }

    /// A packet's payload from the client.
    ///
    /// - Parameters:
    ///   - peer: stands for the peer's address; the same number for all that shall share one part of the table.
    ///   - replay: the one of the process.
    /// - Throws: then the connection must be closed.
    public mutating func receive(
        _ payload: RawSpan, from peer: UInt64, at moment: HandshakeMoment, replay: ReplayTable
    ) throws(HandshakeRefusal) -> HandshakeStep {
        switch state {
        case .ready:
            state = .finished
            let response = try receiveInit(payload, at: moment, replay: replay)
            state = .waiting
            return .reply(response)
        case .waiting:
            state = .finished
            return .established(try receiveConfirm(payload, from: peer, at: moment, replay: replay))
        case .finished:
            throw .unexpectedMessage
        }
    }

    // MARK: Init

    private mutating func receiveInit(
        _ payload: RawSpan, at moment: HandshakeMoment, replay: ReplayTable
    ) throws(HandshakeRefusal) -> [UInt8] {
        let view = try HandshakeRole.view(payload, expected: .handshakeInit)
        try checkTimestamp(view.timestampMilliseconds, at: moment)
        let clientNonce = view.nonce.copyBytes()
        if replay.contains(clientNonce, at: moment.monotonicNanoseconds) { throw .replayed }
        let offer = try offer(in: payload, view)
        let drawn = randomness.take() ?? .drawn()
        let key = X25519.PrivateKey(drawn.privateKey)
        (nonce, noncePrefix) = (drawn.nonce, drawn.noncePrefix)
        transcript.append(payload)
        if let offer { return try respond(to: offer, view.publicKey, clientNonce: clientNonce, key) }
        let response = response(publicKey: key.publicKey, clientNonce: clientNonce)
        privateKey = consume key
        return response
    }

    /// Both bounds are inside (NPRO §2.3).
    private func checkTimestamp(_ timestamp: UInt64, at moment: HandshakeMoment) throws(HandshakeRefusal) {
        let now = moment.wallMilliseconds
        // Each difference is taken where it cannot be negative.
        if timestamp > now {
            guard timestamp - now <= HandshakeFormat.aheadMillisecondsMax else { throw .futureTimestamp }
        } else {
            guard now - timestamp <= HandshakeFormat.behindMillisecondsMax else { throw .staleTimestamp }
        }
    }

    /// The client's extension, with what we need in it; nil if the client speaks version 1, and may.
    private func offer(in payload: RawSpan, _ view: borrowing MessageView) throws(HandshakeRefusal) -> InitExtension? {
        guard settings.speaksExtension else {
            try settings.checkAllowsV1()
            return nil
        }
        let isMarked = KeySchedule.isMarked(
            view.nonce.copyBytes(), publicKey: view.publicKey.copyBytes(), KeySchedule.Label.clientMark)
        guard let offer = try InitExtension(decoding: payload) else {
            guard !isMarked else { throw .strippedExtension }
            try settings.checkAllowsV1()
            return nil
        }
        guard isMarked else { throw .malformedExtension }
        if settings.presharedKey != nil, !offer.flags.contains(.presharedKey) { throw .missingPresharedKey }
        if !settings.pinnedPeers.isEmpty, !offer.flags.contains(.identity) { throw .missingIdentity }
        return offer
    }

    private func response(publicKey: [UInt8], clientNonce: [UInt8]) -> [UInt8] {
        HandshakeRole.encode(
            .handshakeResponse(
                publicKey: publicKey, nonce: nonce, verification: SHA256.hash(clientNonce.span.octets)))
    }

    private mutating func respond(
        to offer: InitExtension, _ clientKey: RawSpan, clientNonce: [UInt8], _ key: borrowing X25519.PrivateKey
    ) throws(HandshakeRefusal) -> [UInt8] {
        let publicKey = key.publicKey
        nonce = KeySchedule.marked(nonce, publicKey: publicKey, KeySchedule.Label.serverMark)
        compression = settings.compression.first { offer.compression.contains($0) } ?? 0
        showsIdentity = offer.flags.contains(.identity)
        let shared = try HandshakeRole.shared(key, clientKey)
        let fresh = KeySchedule.secret(shared: shared, presharedKey: settings.presharedKey)

        var payload = response(publicKey: publicKey, clientNonce: clientNonce)
        var flags: HandshakeFlags = []
        if settings.presharedKey != nil { flags.insert(.presharedKey) }
        if settings.identity != nil { flags.insert(.identity) }
        ProofExtension.appendHeader(flags: flags, compression: compression, to: &payload)
        HandshakeRole.server.appendProof(to: &payload, after: transcript, identity: settings.identity, secret: fresh)
        transcript.append(payload.span.octets)
        secret = consume fresh
        return payload
    }

    // MARK: Confirm

    private mutating func receiveConfirm(
        _ payload: RawSpan, from peer: UInt64, at moment: HandshakeMoment, replay: ReplayTable
    ) throws(HandshakeRefusal) -> EstablishedSession {
        let key = privateKey.take()
        let secret = secret.take()
        let view = try HandshakeRole.view(payload, expected: .handshakeConfirm)
        guard ConstantTime.isEqual(view.verification, SHA256.hash(nonce.span.octets).span.octets) else {
            throw .wrongVerification
        }
        if let secret {
            let identity = try checkProof(payload, secret)
            try remember(peer, at: moment, replay)
            return establish(payload, secret, identity)
        }
        guard let key else { preconditionFailure("a handshake that waits for Confirm has a key or a secret") }
        let shared = try HandshakeRole.shared(key, clientPublicKey.span.octets)
        try remember(peer, at: moment, replay)
        let sessionKey = KeySchedule.versionOneKey(
            shared: shared, clientNonce: clientNonce.span.octets, serverNonce: nonce.span.octets)
        return .versionOne(key: sessionKey, noncePrefix: noncePrefix)
    }

    /// The client's identity, if it has one.
    private func checkProof(_ payload: RawSpan, _ secret: borrowing SecretKey32) throws(HandshakeRefusal) -> [UInt8]? {
        let start = HandshakeFormat.confirmByteCount
        guard let proof = try ProofExtension(decoding: payload, at: start, expected: .identity) else {
            throw .strippedExtension
        }
        guard proof.compression == 0, proof.flags.contains(.identity) == showsIdentity else {
            throw .malformedExtension
        }
        try HandshakeRole.client.checkProof(proof, in: payload, after: transcript, secret: secret)
        return try HandshakeRole.client.checkIdentity(
            proof, in: payload, after: transcript, pins: settings.pinnedPeers)
    }

    private func remember(
        _ peer: UInt64, at moment: HandshakeMoment, _ replay: ReplayTable
    ) throws(HandshakeRefusal) {
        switch replay.insert(clientNonce, from: peer, at: moment.monotonicNanoseconds) {
        case .fresh: break
        case .replayed: throw .replayed
        case .full: throw .replayTableFull
        case .addressShare: throw .addressShare
        }
    }

    private mutating func establish(
        _ payload: RawSpan, _ secret: borrowing SecretKey32, _ identity: [UInt8]?
    ) -> EstablishedSession {
        transcript.append(payload)
        return EstablishedSession(
            channel: HandshakeRole.server.channel(transcript, secret: secret, noncePrefix: noncePrefix),
            peerIdentity: identity, isAuthenticated: settings.requiresAuthentication,
            compression: compression == 0 ? nil : compression, isV1: false)
    }

    // MARK: What Init said

    private var clientPublicKey: [UInt8] { Array(transcript.bytes[4..<36]) }
    private var clientNonce: [UInt8] { Array(transcript.bytes[44..<60]) }
}

extension HandshakeSettings {
    /// A peer that can prove nothing came.
    func checkAllowsV1() throws(HandshakeRefusal) {
        guard allowsV1 || !requiresAuthentication else { throw .plainV1 }
    }
}

extension HandshakeRole {
    static func shared(
        _ key: borrowing X25519.PrivateKey, _ peer: RawSpan
    ) throws(HandshakeRefusal) -> SecretKey32 {
        do throws(SecurityError) { return try key.sharedSecret(with: peer) } catch { throw .weakPublicKey }
    }
}

extension EstablishedSession {
    /// One key for both directions, nobody authenticated.
    static func versionOne(
        key: borrowing SecretKey32, noncePrefix: [UInt8], confirm: [UInt8] = []
    ) -> EstablishedSession {
        EstablishedSession(
            channel: SealedChannel(sendKey: key, receiveKey: key, order: .any, sendPrefix: noncePrefix),
            peerIdentity: nil, isAuthenticated: false, compression: nil, isV1: true, confirm: confirm)
    }
}
