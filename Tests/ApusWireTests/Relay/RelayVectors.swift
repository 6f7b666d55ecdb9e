// The golden vectors of the relay protocol (relay.md §1.5) as the tests use them: hex in `Vectors/relay.json`.

import ApusWire
import Foundation
import Testing

struct RelayVectors: Decodable {
    struct Peer: Decodable {
        let key: String
        let id: Hex
    }

    struct Token: Decodable {
        let expiry: String
        let token: Hex
    }

    struct Auth: Decodable {
        let peer: String
        let message: Hex
    }

    struct AuthResponse: Decodable {
        let url: String
        let message: Hex
    }

    struct Transport: Decodable {
        let from: String
        let to: String
        let payload: Hex
        let message: Hex
    }

    struct Message: Decodable {
        let message: Hex
    }

    let peers: [Peer]
    let token: Token
    let auth: Auth
    let authResponse: AuthResponse
    let transportIn: Transport
    let transportOut: Message
    let subscribe: Hex
    let unsubscribe: Hex
    let peersOnline: Hex
    let peersWentOffline: Hex
    let healthCheck: Hex
    let close: Hex

    /// A missing or broken file fails every test that asks.
    static func load() throws -> RelayVectors {
        let url = try #require(Bundle.module.url(forResource: "relay", withExtension: "json", subdirectory: "Vectors"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(RelayVectors.self, from: Data(contentsOf: url))
    }

    func id(of key: String) throws -> PeerID {
        let bytes = try #require(peers.first { $0.key == key }).id.bytes
        return PeerID(bytes.span.bytes, at: 0)
    }
}

/// What the relay reads.
func fromClient(_ message: [UInt8]) -> RelayClientMessage { RelayClientMessage(decoding: message.span.bytes) }

/// What a client reads.
func fromServer(_ message: [UInt8]) -> RelayServerMessage { RelayServerMessage(decoding: message.span.bytes) }

/// The ids of a list.
func ids(of list: PeerIDList, in message: [UInt8]) -> [PeerID] {
    list.indices.map { list.id(at: $0, in: message.span.bytes) }
}

/// An id that can be told from others.
func peer(_ number: UInt8) -> PeerID {
    let bytes = [UInt8](repeating: number, count: PeerID.byteCount)
    return PeerID(bytes.span.bytes, at: 0)
}

func bytes(of id: PeerID) -> [UInt8] { written { id.write(into: &$0) } }
