// The client's side of a handshake: says Init, reads Response, has keys. It knows nothing of sockets and clocks.

import ApusWire

/// One handshake. The whole of it should have one deadline, which is the caller's.
///
///     state           message    → state        and what is done
///     ready           start      → waiting      Init
///     waiting         Response   → finished     Confirm, then sealed packets; or a refusal
///     waiting         other      → finished     a refusal
///     finished        any        → finished     `unexpectedMessage`
public struct ClientHandshake: ~Copyable {
    private enum State {
        case ready
        case waiting
        case finished
    }

    private let settings: HandshakeSettings
    private var state = State.ready
    private var privateKey: X25519.PrivateKey?
    private let nonce: [UInt8]
    private let noncePrefix: [UInt8]
    private var transcript = Transcript()

    public init(_ settings: HandshakeSettings) {
        self.init(settings, randomness: .drawn())
    }

    package init(_ settings: HandshakeSettings, randomness: consuming HandshakeRandomness) {
        self.settings = settings
        let key = X25519.PrivateKey(randomness.privateKey)
        nonce =
            settings.speaksExtension
            ? KeySchedule.marked(randomness.nonce, publicKey: key.publicKey, KeySchedule.Label.clientMark)
            : randomness.nonce
        noncePrefix = randomness.noncePrefix
        privateKey = consume key
    }

    /// The payload of Init. Once.
    ///
    /// - Parameter wallMilliseconds: since 1970. The server accepts up to 30 s behind its clock and 2 s ahead.
    public mutating func start(wallMilliseconds: UInt64) -> [UInt8] {
        guard case .ready = state, let publicKey = privateKey?.publicKey else {
            preconditionFailure("a handshake is started once")
        }
        state = .waiting
        var payload = HandshakeRole.encode(
            .handshakeInit(publicKey: publicKey, timestampMilliseconds: wallMilliseconds, nonce: nonce))
        if settings.speaksExtension { offer.append(to: &payload) }
        transcript.append(payload.span.octets)
        return payload
    }

    private var offer: InitExtension {
        var flags: HandshakeFlags = []
        if settings.presharedKey != nil { flags.insert(.presharedKey) }
        if settings.identity != nil { flags.insert(.identity) }
        return InitExtension(flags: flags, compression: settings.compression)
    }

    /// The server's answer.
    ///
    /// - Returns: the session, whose `confirm` must be sent before anything sealed.
    /// - Throws: then the connection must be closed.
    public mutating func receive(_ payload: RawSpan) throws(HandshakeRefusal) -> EstablishedSession {
        guard case .waiting = state, let key = privateKey.take() else { throw .unexpectedMessage }
        state = .finished
        let view = try HandshakeRole.view(payload, expected: .handshakeResponse)
        guard ConstantTime.isEqual(view.verification, SHA256.hash(nonce.span.octets).span.octets) else {
            throw .wrongVerification
        }
        let answer = try answer(in: payload, view)
        let shared = try HandshakeRole.shared(key, view.publicKey)
        let confirm = HandshakeRole.encode(.handshakeConfirm(verification: SHA256.hash(view.nonce)))
        guard let answer else { return establishV1(confirm: confirm, shared: shared, serverNonce: view.nonce) }
        return try establish(answer, payload, confirm: confirm, shared: shared)
    }

    /// The server's extension, with what we need in it; nil if the server speaks version 1, and may.
    private func answer(
        in payload: RawSpan, _ view: borrowing MessageView
    ) throws(HandshakeRefusal) -> ProofExtension? {
        guard settings.speaksExtension else {
            try settings.checkAllowsV1()
            return nil
        }
        let isMarked = KeySchedule.isMarked(
            view.nonce.copyBytes(), publicKey: view.publicKey.copyBytes(), KeySchedule.Label.serverMark)
        let answer = try ProofExtension(
            decoding: payload, at: HandshakeFormat.responseByteCount, expected: [.presharedKey, .identity])
        guard let answer else {
            guard !isMarked else { throw .strippedExtension }
            try settings.checkAllowsV1()
            return nil
        }
        guard isMarked, answer.compression == 0 || settings.compression.contains(answer.compression) else {
            throw .malformedExtension
        }
        try checkPresharedKey(answer)
        return answer
    }

    private func checkPresharedKey(_ answer: ProofExtension) throws(HandshakeRefusal) {
        switch (settings.presharedKey != nil, answer.flags.contains(.presharedKey)) {
        case (true, true), (false, false): break
        case (true, false): throw .missingPresharedKey
        // We did not offer one.
        case (false, true): throw .malformedExtension
        }
    }

    private mutating func establish(
        _ answer: ProofExtension, _ payload: RawSpan, confirm: [UInt8], shared: borrowing SecretKey32
    ) throws(HandshakeRefusal) -> EstablishedSession {
        let secret = KeySchedule.secret(shared: shared, presharedKey: settings.presharedKey)
        try HandshakeRole.server.checkProof(answer, in: payload, after: transcript, secret: secret)
        let peer = try HandshakeRole.server.checkIdentity(
            answer, in: payload, after: transcript, pins: settings.pinnedPeers)
        transcript.append(payload)

        var confirm = confirm
        ProofExtension.appendHeader(flags: settings.identity == nil ? [] : .identity, compression: 0, to: &confirm)
        HandshakeRole.client.appendProof(
            to: &confirm, after: transcript, identity: settings.identity, secret: secret)
        transcript.append(confirm.span.octets)
        return EstablishedSession(
            channel: HandshakeRole.client.channel(transcript, secret: secret, noncePrefix: noncePrefix),
            peerIdentity: peer, isAuthenticated: settings.requiresAuthentication,
            compression: answer.compression == 0 ? nil : answer.compression, isV1: false, confirm: confirm)
    }

    private func establishV1(
        confirm: [UInt8], shared: borrowing SecretKey32, serverNonce: RawSpan
    ) -> EstablishedSession {
        let key = KeySchedule.versionOneKey(
            shared: shared, clientNonce: nonce.span.octets, serverNonce: serverNonce)
        return .versionOne(key: key, noncePrefix: noncePrefix, confirm: confirm)
    }
}
