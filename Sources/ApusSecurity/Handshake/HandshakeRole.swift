// What both roles do alike: read a message, prove, and check the other's proof.

import ApusWire

enum HandshakeRole {
    case client
    case server

    private var signatureLabel: [UInt8] {
        switch self {
        case .client: KeySchedule.Label.clientSignature
        case .server: KeySchedule.Label.serverSignature
        }
    }

    private var proofLabel: [UInt8] {
        switch self {
        case .client: KeySchedule.Label.clientProof
        case .server: KeySchedule.Label.serverProof
        }
    }

    /// The fields of a payload that must be a message of this kind.
    @_lifetime(copy payload)
    static func view(_ payload: RawSpan, expected: MessageKind) throws(HandshakeRefusal) -> MessageView {
        guard payload.byteCount <= HandshakeFormat.payloadByteCountMax else { throw .oversizeMessage }
        switch MessageDecoder.step(payload) {
        case .violation: throw .malformedMessage
        case .message(let layout):
            guard layout.kind == expected else { throw .unexpectedMessage }
            return MessageView(payload: payload, layout: layout)
        }
    }

    static func encode(_ message: Message) -> [UInt8] {
        let count = MessageEncoder.byteCount(of: message)
        return unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = unsafe UnsafeMutableRawBufferPointer(start: buffer.baseAddress, count: count)
            var output = unsafe OutputRawSpan(buffer: target, initializedCount: 0)
            MessageEncoder.encode(message, into: &output)
            initialized = unsafe output.finalize(for: target)
        }
    }

    /// Behind the header: the identity with its signature, if there is one, and the proof.
    func appendProof(
        to payload: inout [UInt8], after transcript: Transcript, identity: IdentityKey?, secret: borrowing SecretKey32
    ) {
        if let identity {
            payload += identity.publicKey
            let digest = transcript.digest(and: payload)
            payload += identity.sign((signatureLabel + digest).span.octets)
        }
        payload += proof(transcript.digest(and: payload), secret: secret)
    }

    private func proof(_ digest: [UInt8], secret: borrowing SecretKey32) -> [UInt8] {
        KeySchedule.expand(secret, proofLabel, digest: digest).bytes.copyBytes()
    }

    /// Whether this role, the peer, saw the same messages and has the same secret.
    func checkProof(
        _ proof: ProofExtension, in payload: RawSpan, after transcript: Transcript, secret: borrowing SecretKey32
    ) throws(HandshakeRefusal) {
        let expected = self.proof(transcript.digest(and: payload, upTo: proof.proofStart), secret: secret)
        let found = payload.extracting(proof.proofStart..<payload.byteCount)
        guard ConstantTime.isEqual(expected.span.octets, found) else { throw .wrongProof }
    }

    /// The public key that this role, the peer, has the private one of; nil if it shows none and none is pinned.
    func checkIdentity(
        _ proof: ProofExtension, in payload: RawSpan, after transcript: Transcript, pins: [[UInt8]]
    ) throws(HandshakeRefusal) -> [UInt8]? {
        guard let range = proof.identity else {
            guard pins.isEmpty else { throw .missingIdentity }
            return nil
        }
        let identity = payload.extracting(range).copyBytes()
        guard pins.isEmpty || pins.contains(identity) else { throw .unknownIdentity }
        let signed = signatureLabel + transcript.digest(and: payload, upTo: proof.signature.lowerBound)
        let signature = payload.extracting(proof.signature)
        guard Ed25519.isValid(signature: signature, of: signed.span.octets, by: identity.span.octets) else {
            throw .wrongSignature
        }
        return identity
    }

    /// This role's channel.
    ///
    /// - Parameter transcript: all three messages.
    func channel(
        _ transcript: Transcript, secret: borrowing SecretKey32, noncePrefix: [UInt8]
    ) -> SealedChannel {
        let digest = transcript.digest
        let toServer = KeySchedule.expand(secret, KeySchedule.Label.clientToServer, digest: digest)
        let toClient = KeySchedule.expand(secret, KeySchedule.Label.serverToClient, digest: digest)
        switch self {
        case .client:
            return SealedChannel(sendKey: toServer, receiveKey: toClient, order: .strict, sendPrefix: noncePrefix)
        case .server:
            return SealedChannel(sendKey: toClient, receiveKey: toServer, order: .strict, sendPrefix: noncePrefix)
        }
    }
}

/// What a side draws for one handshake.
package struct HandshakeRandomness: ~Copyable {
    let privateKey: SecretKey32
    /// 16 bytes; the second half is replaced where an extension is spoken.
    let nonce: [UInt8]
    /// 16 bytes, for the sealed packets.
    let noncePrefix: [UInt8]

    package init(privateKey: consuming SecretKey32, nonce: [UInt8], noncePrefix: [UInt8]) {
        self.privateKey = privateKey
        self.nonce = nonce
        self.noncePrefix = noncePrefix
    }

    static func drawn() -> HandshakeRandomness {
        HandshakeRandomness(
            privateKey: .random(), nonce: SecureRandom.bytes(MessageFormat.nonceByteCount),
            noncePrefix: SecureRandom.bytes(SealedNonce.prefixByteCount))
    }
}
