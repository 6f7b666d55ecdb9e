// What leaves: never a list of nobody or of too many, never a token or a URL that does not fit.

import ApusWire
import Testing

struct RelayEncoderTests {
    @Test func limitsAreThoseOfTheSpecification() {
        #expect(RelayFormat.transportHeaderByteCount == 38)
        #expect(RelayFormat.authHeaderByteCount == 42)
        #expect((RelayFormat.authByteCountMax, RelayFormat.authResponseByteCountMax) == (212, 8192))
        #expect((RelayFormat.messageByteCountMax, RelayFormat.datagramByteCountMax) == (8820, 8782))
        #expect((RelayFormat.listCountMax, RelayFormat.urlByteCountMax) == (244, 8190))
        #expect(RelayEncoder.listByteCount(244) == 8786)
    }

    @Test func whatIsWrittenIsRead() throws {
        let peers = (1...244).map { peer(UInt8($0)) }
        for type in [RelayMessageType.subscribePeerState, .unsubscribePeerState, .peersOnline, .peersWentOffline] {
            let message = written { RelayEncoder.writeList(type, peers.span, into: &$0) }
            #expect(message.count == 8786)
            #expect(message.prefix(2) == [1, type.rawValue])
            #expect(Array(message[2...]) == peers.flatMap(bytes(of:)))
        }
        for byteCount in [0, 1, 170] {
            let token = [UInt8](repeating: 3, count: byteCount)
            let message = written { RelayEncoder.writeAuth(peer(9), token: token.span.bytes, into: &$0) }
            let auth = try RelayAuth(decoding: message.span.bytes)
            #expect(auth.peer == peer(9) && Array(message[auth.token]) == token)
        }
        for byteCount in [1, 8190] {
            let url = [UInt8](repeating: 0x75, count: byteCount)
            let message = written { RelayEncoder.writeAuthResponse(url: url.span.bytes, into: &$0) }
            #expect(Array(message[try RelayAuthResponse(decoding: message.span.bytes).url]) == url)
        }
    }

    @Test func aListOfNobodyIsNeverSent() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = written { RelayEncoder.writeListHeader(.peersOnline, count: 0, into: &$0) }
        }
        expect(result, says: "a list has 1 … 244 ids")
    }

    @Test func aListOfTooManyIsNeverSent() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = written { RelayEncoder.writeListHeader(.peersOnline, count: 245, into: &$0) }
        }
        expect(result, says: "a list has 1 … 244 ids")
    }

    @Test func aMessageWithoutIDsIsNoList() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = written { RelayEncoder.writeListHeader(.transport, count: 1, into: &$0) }
        }
        expect(result, says: "this message carries no ids")
    }

    @Test func aTokenThatDoesNotFitIsNeverSent() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let token = [UInt8](repeating: 3, count: 171)
            _ = written { RelayEncoder.writeAuth(peer(1), token: token.span.bytes, into: &$0) }
        }
        expect(result, says: "a token has 170 bytes at most")
    }

    @Test func anEmptyURLIsNeverSent() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            let url = [UInt8]()
            _ = written { RelayEncoder.writeAuthResponse(url: url.span.bytes, into: &$0) }
        }
        expect(result, says: "a URL has 1 … 8,190 bytes")
    }
}
