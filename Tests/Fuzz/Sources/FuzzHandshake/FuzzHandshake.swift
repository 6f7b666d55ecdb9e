// libFuzzer driver for both roles of the handshake: whatever comes, in whatever order, nobody is let in who should not
// be, what is refused stays refused, and two peers of one session have the same keys.

import ApusSecurity
import FuzzSupport

@main
struct FuzzHandshake {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is a byte of settings and then steps. A step is a byte: the role that hears (bit 0), what it hears (bits 1
/// and 2), and a length (the rest), with so many bytes behind it, in case 1 eight times as many:
///
///     0, 1   those bytes
///     2      what the other role said last, with those bytes laid over it (offset, exclusive or)
///     3      what the other role said last, cut to that length and with those bytes behind it
func fuzz(_ input: [UInt8]) {
    guard let settings = input.first else { return }
    var talk = Talk(settings)
    var rest = input.dropFirst()
    while let step = rest.popFirst() {
        let bytes = Array(rest.prefix(Int(step >> 3) * (step >> 1 & 3 == 1 ? 8 : 1)))
        rest = rest.dropFirst(bytes.count)
        talk.take(step, bytes)
    }
    talk.checkEnd()
}

struct Talk: ~Copyable {
    let settings: UInt8
    let replay = ReplayTable(handshakesPerSecond: 1)
    let moment = HandshakeMoment(wallMilliseconds: 1_700_000_000_000, monotonicNanoseconds: 0)
    var client: ClientHandshake
    var server: ServerHandshake
    var saidByClient: [UInt8]
    var saidByServer: [UInt8] = []
    /// Whether each message was heard as it was said.
    var isInitHonest = false
    var isResponseHonest = false
    var isConfirmHonest = false
    var isClientOver = false
    var isServerOver = false
    var heardByServer = 0
    var atClient: EstablishedSession?
    var atServer: EstablishedSession?

    init(_ settings: UInt8) {
        self.settings = settings
        client = ClientHandshake(
            Talk.settings(settings, identity: Keys.client, peer: Keys.server), randomness: Keys.randomness(1))
        server = ServerHandshake(
            Talk.settings(settings >> 1, identity: Keys.server, peer: Keys.client), randomness: Keys.randomness(2))
        saidByClient = client.start(wallMilliseconds: moment.wallMilliseconds)
    }

    /// Bits 0, 2, 4 and 6: extension, pre-shared key, identity and pin, version 1 allowed.
    static func settings(_ bits: UInt8, identity: IdentityKey, peer: IdentityKey) -> HandshakeSettings {
        var settings = HandshakeSettings()
        settings.speaksExtension = bits & 1 == 0
        if bits & 4 != 0 { settings.presharedKey = Keys.presharedKey }
        if bits & 16 != 0 { (settings.identity, settings.pinnedPeers) = (identity, [peer.publicKey]) }
        settings.allowsV1 = bits & 64 != 0
        settings.compression = [1, 2]
        return settings
    }

    mutating func take(_ step: UInt8, _ bytes: [UInt8]) {
        let isServer = step & 1 == 0
        let said = isServer ? saidByClient : saidByServer
        let heard = Talk.heard(step >> 1 & 3, said, bytes)
        if isServer && heardByServer == 0 { isInitHonest = heard == said }
        if isServer && heardByServer == 1 { isConfirmHonest = heard == said }
        if !isServer && !isClientOver { isResponseHonest = heard == said }
        if isServer { hearAsServer(heard) } else { hearAsClient(heard) }
    }

    static func heard(_ kind: UInt8, _ said: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
        switch kind {
        case 2:
            var heard = said
            for index in stride(from: 0, to: bytes.count - 1, by: 2) where Int(bytes[index]) < heard.count {
                heard[Int(bytes[index])] ^= bytes[index + 1]
            }
            return heard
        case 3: return Array(said.prefix(Int(bytes.first ?? 255))) + bytes.dropFirst()
        default: return bytes
        }
    }

    mutating func hearAsServer(_ payload: [UInt8]) {
        heardByServer += 1
        do throws(HandshakeRefusal) {
            switch try server.receive(payload.span.bytes, from: 1, at: moment, replay: replay) {
            case .reply(let reply):
                require(heardByServer == 1 && !isServerOver, "an answer to what is not the first message")
                require(reply.count <= HandshakeFormat.payloadByteCountMax, "an answer that no peer takes")
                saidByServer = reply
            case .established(let session):
                require(heardByServer == 2 && !isServerOver, "established by what is not the second message")
                isServerOver = true
                check(session, settings >> 1)
                require(session.isV1 || isConfirmHonest, "the extension took an altered Confirm")
                atServer = consume session
            }
        } catch {
            require(!isServerOver || error == .unexpectedMessage, "a handshake that was over went on")
            isServerOver = true
        }
    }

    mutating func hearAsClient(_ payload: [UInt8]) {
        do throws(HandshakeRefusal) {
            let session = try client.receive(payload.span.bytes)
            require(!isClientOver, "a handshake that was over went on")
            require(session.confirm.count <= HandshakeFormat.payloadByteCountMax, "a Confirm that no peer takes")
            saidByClient = session.confirm
            check(session, settings)
            atClient = consume session
        } catch {
            require(!isClientOver || error == .unexpectedMessage, "a handshake that was over went on")
        }
        isClientOver = true
    }

    /// Where something was asked, it was proven: nobody here has a key but the two roles.
    func check(_ session: borrowing EstablishedSession, _ bits: UInt8) {
        let isAsked = bits & 0b10100 != 0
        if session.isV1 {
            require(!isAsked || bits & 64 != 0, "version 1 where proof was asked")
            require(!session.isAuthenticated && session.peerIdentity == nil, "version 1 proved something")
        } else {
            require(session.isAuthenticated == isAsked, "authenticated by nothing")
            require(isInitHonest && isResponseHonest, "the extension took an altered message")
            require(bits & 16 == 0 || session.peerIdentity != nil, "a pin without an identity")
        }
    }

    /// Two ends of a session that the extension made have the same keys.
    consuming func checkEnd() {
        guard let client = atClient.take(), let server = atServer.take(), !client.isV1, !server.isV1 else { return }
        require(client.compression == server.compression, "different algorithms")
        var aead = AEADContext()
        var from = client.channel
        var to = server.channel
        var payload = [UInt8](repeating: 0, count: 4 + SealedChannel.overhead)
        payload.withUnsafeMutableBytes { payload in
            let plaintext: [UInt8] = [1, 2, 3, 4]
            from.seal(plaintext.span.bytes, into: payload.baseAddress!, with: &aead)
            do {
                let range = try to.open(payload, with: &aead)
                require(payload[range].elementsEqual(plaintext), "another plaintext")
            } catch {
                require(false, "the two ends have different keys: \(error)")
            }
        }
    }
}

enum Keys {
    static let client = IdentityKey(seed: key(3))
    static let server = IdentityKey(seed: key(4))
    static let presharedKey = PresharedKey(key(5).bytes)

    static func key(_ byte: UInt8) -> SecretKey32 {
        SecretKey32(copying: [UInt8](repeating: byte, count: 32).span.bytes)
    }

    /// The same in every run, so that an input does the same again.
    static func randomness(_ byte: UInt8) -> HandshakeRandomness {
        HandshakeRandomness(
            privateKey: key(byte), nonce: [UInt8](repeating: byte, count: 16),
            noncePrefix: [UInt8](repeating: byte, count: 16))
    }
}
