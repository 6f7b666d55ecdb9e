// WebSocket and the relay's messages, written down a second time: what simulated peers send and understand is not made
// by the codecs that are under test (RFC 6455 §5.2, relay.md §1).

import ApusSecurity
import ApusWire
import TestSupport

enum RelayWire {
    /// Ids that peers may have, and more that nobody has.
    static let idCount = 400
    static let ids: [[UInt8]] = (0..<idCount).map(id)
    static let peerIDs: [PeerID] = ids.map { PeerID($0.span.bytes, at: 0) }

    private static func id(_ number: Int) -> [UInt8] {
        var bytes = Array("sha-".utf8)
        bytes += [UInt8(number >> 8), UInt8(number & 0xFF)]
        for place in 0..<30 { bytes.append(UInt8(place * 7 + number % 5)) }
        return bytes
    }

    /// Which of them 36 bytes are; nil: none.
    static func number(of id: ArraySlice<UInt8>) -> Int? {
        let number = Int(id[id.startIndex + 4]) << 8 | Int(id[id.startIndex + 5])
        return ids.indices.contains(number) && id.elementsEqual(ids[number]) ? number : nil
    }

    // MARK: Upgrade and login

    static let upgrade = Array(RelayClient.request().utf8)
    static let upgradeElsewhere = Array(RelayClient.request(path: "/elsewhere").utf8)
    static let noRequest = Array("HELLO relay\r\n\r\n".utf8)

    private static let keys = RelayTokenKeys(secrets: [RelayClient.secret])
    static let validToken = keys.mint(expirySeconds: 4_102_444_800)
    static let expiredToken = keys.mint(expirySeconds: 1_000_000_000)
    static let forgedToken = validToken.enumerated().map { $0 == 5 ? $1 ^ 1 : $1 }

    static func auth(_ id: Int, _ token: [UInt8]) -> [UInt8] { [1, 6, 0x21, 0x12, 0xA4, 0x42] + ids[id] + token }

    // MARK: Messages

    static let close: [UInt8] = [1, 4]
    static let healthCheck: [UInt8] = [1, 5]
    /// A list that is no whole number of ids: ignored (relay.md §1.3.8).
    static let oddList: [UInt8] = [1, 8, 0, 0, 0]

    static func transport(to id: Int, _ content: [UInt8]) -> [UInt8] { [1, 3] + ids[id] + content }
    static func subscribe(_ numbers: [Int]) -> [UInt8] { [1, 8] + numbers.flatMap { ids[$0] } }
    static func unsubscribe(_ numbers: [Int]) -> [UInt8] { [1, 9] + numbers.flatMap { ids[$0] } }

    // MARK: Frames

    static let continuation: UInt8 = 0
    static let text: UInt8 = 1
    static let binary: UInt8 = 2
    static let closing: UInt8 = 8
    static let ping: UInt8 = 9

    static func frame(_ opcode: UInt8, _ payload: [UInt8], isFinal: Bool = true, key: UInt32) -> [UInt8] {
        let mask = (0..<4).map { UInt8(truncatingIfNeeded: key >> (8 * $0)) }
        var bytes = [(isFinal ? 0x80 : 0) | opcode]
        if payload.count < 126 {
            bytes.append(0x80 | UInt8(payload.count))
        } else {
            bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        }
        bytes += mask
        bytes.reserveCapacity(bytes.count + payload.count)
        for index in payload.indices { bytes.append(payload[index] ^ mask[index & 3]) }
        return bytes
    }
}
