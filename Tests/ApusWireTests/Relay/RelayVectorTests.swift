// The golden vectors of the relay protocol, both ways.

import ApusWire
import Testing

struct RelayVectorTests {
    let vectors: RelayVectors
    /// The peers that the specification calls so.
    let a: PeerID
    let b: PeerID

    init() throws {
        vectors = try RelayVectors.load()
        a = try vectors.id(of: vectors.transportIn.from)
        b = try vectors.id(of: vectors.transportIn.to)
    }

    @Test func idsKeepTheirBytes() {
        #expect(vectors.peers.count == 4)
        for vector in vectors.peers {
            let written = vector.id.bytes
            let id = PeerID(written.span.bytes, at: 0)
            #expect(bytes(of: id) == written, "\(vector.key)")
        }
    }

    @Test func authDecodes() throws {
        let message = vectors.auth.message.bytes
        let auth = try RelayAuth(decoding: message.span.bytes)
        #expect(auth.peer == a)
        #expect(Array(message[auth.token]) == vectors.token.token.bytes)
    }

    @Test func authEncodes() {
        let token = vectors.token.token.bytes
        #expect(written { RelayEncoder.writeAuth(a, token: token.span.bytes, into: &$0) } == vectors.auth.message.bytes)
    }

    @Test func theTokenSaysWhenItExpires() throws {
        let token = vectors.token.token.bytes
        let layout = try RelayToken(decoding: token.span.bytes)
        #expect(layout.signature == 1..<33)
        #expect(String(decoding: token[layout.expiry], as: UTF8.self) == vectors.token.expiry)
        #expect(try layout.expirySeconds(in: token.span.bytes) == 4_102_444_800)
    }

    @Test func authResponseDecodesAndEncodes() throws {
        let message = vectors.authResponse.message.bytes
        let response = try RelayAuthResponse(decoding: message.span.bytes)
        #expect(String(decoding: message[response.url], as: UTF8.self) == vectors.authResponse.url)
        let url = Array(vectors.authResponse.url.utf8)
        #expect(written { RelayEncoder.writeAuthResponse(url: url.span.bytes, into: &$0) } == message)
    }

    @Test func transportDecodesOnBothSides() {
        let (inbound, outbound) = (vectors.transportIn.message.bytes, vectors.transportOut.message.bytes)
        #expect(fromClient(inbound) == .transport(destination: b, payload: 38..<42))
        #expect(fromServer(outbound) == .transport(source: a, payload: 38..<42))
        #expect(Array(inbound[38..<42]) == vectors.transportIn.payload.bytes)
    }

    @Test func transportEncodes() {
        let payload = vectors.transportIn.payload.bytes
        for (peer, message) in [(b, vectors.transportIn.message), (a, vectors.transportOut.message)] {
            #expect(written { RelayEncoder.writeTransportHeader(peer, into: &$0) } + payload == message.bytes)
        }
    }

    @Test func overwritingTheIDRelaysTheMessage() {
        var message = vectors.transportIn.message.bytes
        message.withUnsafeMutableBytes { buffer in
            var bytes = MutableRawSpan(_unsafeBytes: buffer)
            a.overwrite(&bytes, at: 2)
        }
        #expect(message == vectors.transportOut.message.bytes)
    }

    @Test func listsDecode() {
        let one = [b]
        guard case .subscribe(let subscribed) = fromClient(vectors.subscribe.bytes),
            case .unsubscribe(let unsubscribed) = fromClient(vectors.unsubscribe.bytes),
            case .peersOnline(let online) = fromServer(vectors.peersOnline.bytes),
            case .peersWentOffline(let offline) = fromServer(vectors.peersWentOffline.bytes)
        else {
            Issue.record("a list decodes to something else")
            return
        }
        #expect(ids(of: subscribed, in: vectors.subscribe.bytes) == one)
        #expect(ids(of: unsubscribed, in: vectors.unsubscribe.bytes) == one)
        #expect(ids(of: online, in: vectors.peersOnline.bytes) == one)
        #expect(ids(of: offline, in: vectors.peersWentOffline.bytes) == one)
    }

    @Test func listsEncode() {
        let expected: [(RelayMessageType, [UInt8])] = [
            (.subscribePeerState, vectors.subscribe.bytes), (.unsubscribePeerState, vectors.unsubscribe.bytes),
            (.peersOnline, vectors.peersOnline.bytes), (.peersWentOffline, vectors.peersWentOffline.bytes),
        ]
        for (type, message) in expected {
            let peers = [b]
            #expect(written { RelayEncoder.writeList(type, peers.span, into: &$0) } == message, "\(type)")
        }
    }

    @Test func theShortOnesDecodeAndEncode() {
        #expect(fromClient(vectors.healthCheck.bytes) == .healthCheck)
        #expect(fromServer(vectors.healthCheck.bytes) == .healthCheck)
        #expect(fromClient(vectors.close.bytes) == .close)
        #expect(fromServer(vectors.close.bytes) == .close)
        #expect(written { RelayEncoder.writeHealthCheck(into: &$0) } == vectors.healthCheck.bytes)
        #expect(written { RelayEncoder.writeClose(into: &$0) } == vectors.close.bytes)
    }
}
