// From the shared secret to keys: version 1's one hash, and the extension's HKDF over the transcript.

/// The labels are ASCII without length or NUL; none begins another.
enum KeySchedule {
    // MARK: Version 1

    /// The key of both directions (NPRO §2.2).
    ///
    /// - Parameters:
    ///   - clientNonce: 16 bytes.
    ///   - serverNonce: 16 bytes.
    static func versionOneKey(
        shared: borrowing SecretKey32, clientNonce: RawSpan, serverNonce: RawSpan
    ) -> SecretKey32 {
        var hash = SHA256.Accumulator()
        hash.update(shared.bytes)
        hash.update(Label.clientNonce.span.octets)
        hash.update(clientNonce)
        hash.update(Label.serverNonce.span.octets)
        hash.update(serverNonce)
        return hash.finishAsKey()
    }

    // MARK: Extension

    /// What a pre-shared key adds.
    static func extract(presharedKey: RawSpan) -> SecretKey32 {
        HKDFSHA256.extract(salt: Label.presharedKey.span.octets, secret: presharedKey)
    }

    /// The secret that all others come from; known only to who has one of the two private keys, and the pre-shared key.
    static func secret(shared: borrowing SecretKey32, presharedKey: PresharedKey?) -> SecretKey32 {
        guard let presharedKey else {
            return HKDFSHA256.extract(salt: Label.noPresharedKey.span.octets, secret: shared.bytes)
        }
        return secret(shared: shared, salt: presharedKey.extracted)
    }

    private static func secret(shared: borrowing SecretKey32, salt: borrowing SecretKey32) -> SecretKey32 {
        HKDFSHA256.extract(salt: salt.bytes, secret: shared.bytes)
    }

    /// - Parameter digest: SHA-256 of everything sent so far.
    static func expand(_ secret: borrowing SecretKey32, _ label: [UInt8], digest: [UInt8]) -> SecretKey32 {
        HKDFSHA256.expand(secret, context: (label + digest).span.octets)
    }

    // MARK: Marks

    /// The nonce of a side that sends an extension: its second half is a hash, so that who takes the extension away has
    /// to change the nonce too, and with it the key. It covers only what version 1's key depends on.
    ///
    /// - Parameters:
    ///   - nonce: 16 bytes, of which the second half is replaced.
    ///   - publicKey: of the same side.
    static func marked(_ nonce: [UInt8], publicKey: [UInt8], _ label: [UInt8]) -> [UInt8] {
        let random = Array(nonce.prefix(8))
        return random + SHA256.hash((label + publicKey + random).span.octets).prefix(8)
    }

    static func isMarked(_ nonce: [UInt8], publicKey: [UInt8], _ label: [UInt8]) -> Bool {
        nonce == marked(nonce, publicKey: publicKey, label)
    }

    enum Label {
        static let clientNonce = Array("client_nonce".utf8)
        static let serverNonce = Array("server_nonce".utf8)

        static let presharedKey = Array("apus/1 pre-shared key".utf8)
        static let noPresharedKey = Array("apus/1 no pre-shared key".utf8)
        static let clientMark = Array("apus/1 client mark".utf8)
        static let serverMark = Array("apus/1 server mark".utf8)
        static let clientSignature = Array("apus/1 client signature".utf8)
        static let serverSignature = Array("apus/1 server signature".utf8)
        static let clientProof = Array("apus/1 client proof".utf8)
        static let serverProof = Array("apus/1 server proof".utf8)
        static let clientToServer = Array("apus/1 client to server".utf8)
        static let serverToClient = Array("apus/1 server to client".utf8)
    }
}
