// The golden vectors (NPRO §1.4) as the tests use them: hex in `Vectors/npro.json`, bytes here.

import ApusWire
import Foundation
import Testing

struct Vectors: Decodable {
    /// A message, bare and in its packet.
    struct Sample: Decodable, CustomTestStringConvertible {
        let name: String
        let message: Hex
        let packet: Hex

        var testDescription: String { name }
    }

    /// The handshake's messages and the fields they were made of.
    struct Handshake: Decodable {
        let clientPublic: Hex
        let serverPublic: Hex
        let clientNonce: Hex
        let serverNonce: Hex
        let timestampMs: UInt64
        let `init`: Hex
        let response: Hex
        let confirm: Hex
    }

    let messages: [Sample]
    let handshake: Handshake

    /// Loaded once; a missing or broken file fails every test that asks.
    static func load() throws -> Vectors {
        let url = try #require(Bundle.module.url(forResource: "npro", withExtension: "json", subdirectory: "Vectors"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(Vectors.self, from: Data(contentsOf: url))
    }
}

/// Bytes that are written as hex digits in JSON.
struct Hex: Decodable {
    let bytes: [UInt8]

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let digits = try container.decode(String.self)
        guard let bytes = [UInt8](hex: digits) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not hex: \(digits)")
        }
        self.bytes = bytes
    }
}

extension [UInt8] {
    /// Two digits a byte, spaces ignored; nil if it is anything else.
    init?(hex: String) {
        let digits = Array<Character>(hex.filter { $0 != " " })
        guard digits.count.isMultiple(of: 2) else { return nil }
        self = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(digits[index...index + 1]), radix: 16) else { return nil }
            append(byte)
        }
    }
}
