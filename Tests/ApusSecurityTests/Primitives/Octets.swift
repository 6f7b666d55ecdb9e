// Bytes as the tests of keys, hashes and ciphers write them: hex in the test, or in `Vectors/npro.json`.

import ApusSecurity
import Foundation
import Testing

/// Two digits a byte, white space ignored. Anything else is a slip in the test and stops it.
func octets(_ hex: String) -> [UInt8] {
    let digits = hex.filter { !$0.isWhitespace }.map { digit in
        guard let value = digit.hexDigitValue else { preconditionFailure("not a hex digit: \(digit)") }
        return UInt8(value)
    }
    precondition(digits.count.isMultiple(of: 2), "half a byte: \(hex)")
    return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

func hex(_ bytes: some Sequence<UInt8>) -> String {
    bytes.map { String(format: "%02x", $0) }.joined()
}

extension SecretKey32 {
    init(_ bytes: [UInt8]) { self.init(copying: bytes.span.bytes) }

    /// A copy, to be compared.
    var copy: [UInt8] { bytes.withUnsafeBytes { Array($0) } }
}

extension [UInt8] {
    /// With one bit another.
    func flipping(bit: Int) -> [UInt8] {
        var flipped = self
        flipped[bit / 8] ^= 1 << (bit % 8)
        return flipped
    }
}

/// What of the golden vectors (NPRO §1.4) concerns keys.
struct SecurityVectors: Decodable {
    struct Handshake: Decodable {
        let clientPrivate, clientPublic, serverPrivate, serverPublic, shared: String
        let clientNonce, serverNonce: String
        let timestampMs: UInt64
        let `init`, response, confirm, sessionKey: String
    }

    struct Sealed: Decodable {
        let name, nonce, plaintext, payload: String
    }

    struct Subkey: Decodable {
        let key, nonce, out: String
    }

    let handshake: Handshake
    let sealed: [Sealed]
    let hchacha20: Subkey

    static func load() throws -> SecurityVectors {
        let url = try #require(Bundle.module.url(forResource: "npro", withExtension: "json", subdirectory: "Vectors"))
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(SecurityVectors.self, from: Data(contentsOf: url))
    }
}
