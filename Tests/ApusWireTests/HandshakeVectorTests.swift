// The handshake's messages, as bytes only: keys and hashes belong to another module.

import ApusWire
import Testing

struct HandshakeVectorTests {
    let handshake: Vectors.Handshake
    /// SHA-256 of the two nonces (NPRO §1.4).
    let clientVerification: [UInt8]
    let serverVerification: [UInt8]

    init() throws {
        handshake = try Vectors.load().handshake
        clientVerification = try #require(
            [UInt8](hex: "be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991"))
        serverVerification = try #require(
            [UInt8](hex: "fc2e2c73072bfa2bda03ff9307472debd3cc8105028a8a9e235e35ba8d2e37f4"))
    }

    private var messages: [(message: Message, bytes: [UInt8])] {
        [
            (
                .handshakeInit(
                    publicKey: handshake.clientPublic.bytes,
                    timestampMilliseconds: handshake.timestampMs,
                    nonce: handshake.clientNonce.bytes),
                handshake.`init`.bytes
            ),
            (
                .handshakeResponse(
                    publicKey: handshake.serverPublic.bytes,
                    nonce: handshake.serverNonce.bytes,
                    verification: clientVerification),
                handshake.response.bytes
            ),
            (.handshakeConfirm(verification: serverVerification), handshake.confirm.bytes),
        ]
    }

    @Test func sizesAreThoseOfTheSpecification() {
        #expect(messages.map(\.bytes.count) == [60, 84, 36])
    }

    @Test func handshakeDecodes() throws {
        for (message, bytes) in messages { #expect(try decode(bytes) == message) }
    }

    @Test func handshakeEncodes() {
        for (message, bytes) in messages {
            #expect(encode(message) == bytes)
            #expect(MessageEncoder.byteCount(of: message) == bytes.count)
        }
    }

    @Test func packetHeadersAreThoseOfTheSpecification() {
        let headers = messages.map { Array(PacketEncoder.encode($0.message).prefix(9)) }
        #expect(headers == [header(length: 60), header(length: 84), header(length: 36)])
    }

    @Test func everySplitPointIsIncomplete() {
        for (message, _) in messages {
            let packet = PacketEncoder.encode(message)
            for split in 0..<packet.count {
                #expect(step(Array(packet[..<split])) == .incomplete(byteCountNeeded: split < 9 ? 9 : packet.count))
            }
        }
    }

    @Test func viewsShowTheFields() throws {
        let payload = handshake.`init`.bytes
        let bytes = payload.span.bytes
        guard case .message(let layout) = MessageDecoder.step(bytes) else {
            Issue.record("Init did not decode")
            return
        }
        let view = MessageView(payload: bytes, layout: layout)
        let (key, nonce, timestamp) = (view.publicKey.copyBytes(), view.nonce.copyBytes(), view.timestampMilliseconds)
        #expect(key == handshake.clientPublic.bytes)
        #expect(nonce == handshake.clientNonce.bytes)
        #expect(timestamp == 1_700_000_000_000)
    }
}
