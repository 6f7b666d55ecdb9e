// Where a token's parts lie and what its digits say, as the reference reads them. Signatures are tested elsewhere.

import ApusWire
import Testing

struct RelayTokenTests {
    private func token(_ expiry: String) -> [UInt8] {
        [1] + [UInt8](repeating: 0xAB, count: 32) + Array(expiry.utf8)
    }

    private func expiry(_ text: String) -> Int64? {
        let token = token(text)
        do throws(RelayTokenRefusal) {
            return try RelayToken(decoding: token.span.bytes).expirySeconds(in: token.span.bytes)
        } catch {
            #expect(error == .malformedExpiry)
            return nil
        }
    }

    private func refusal(_ token: [UInt8]) -> RelayTokenRefusal? {
        do throws(RelayTokenRefusal) {
            _ = try RelayToken(decoding: token.span.bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test func everyCutIsRefusedForItsReason() {
        let whole = token("4102444800")
        #expect(refusal([]) == .empty)
        for byteCount in 1..<43 { #expect(refusal(Array(whole[..<byteCount])) == .tooShort) }
        #expect(refusal(whole) == nil)
    }

    @Test func onlyOneAlgorithmIsKnown() {
        var token = token("4102444800")
        for algorithm in UInt8.min...UInt8.max where algorithm != 1 {
            token[0] = algorithm
            #expect(refusal(token) == .unsupportedAlgorithm)
            #expect(refusal([algorithm]) == .unsupportedAlgorithm)
        }
    }

    @Test func digitsAreReadAsGoReadsThem() {
        #expect(expiry("4102444800") == 4_102_444_800)
        #expect(expiry("+4102444800") == 4_102_444_800)
        #expect(expiry("-4102444800") == -4_102_444_800)
        #expect(expiry("0000000000") == 0)
        #expect(expiry("-000000000") == 0)
        #expect(expiry("0000000000000000000000000000004102444800") == 4_102_444_800)
        #expect(expiry("9223372036854775807") == .max)
        #expect(expiry("-9223372036854775808") == .min)
    }

    @Test func everythingElseIsRefused() {
        #expect(expiry("9223372036854775808") == nil)
        #expect(expiry("-9223372036854775809") == nil)
        #expect(expiry("99999999999999999999999999") == nil)
        for text in ["4102444800x", "x4102444800", " 4102444800", "4102444800 ", "4_102_444_800", "0x4102444800"] {
            #expect(expiry(text) == nil, "\(text)")
        }
        for text in ["41024448.0", "++410244480", "+-410244480", "----------", "healthcheck", "４１０２４４４８００"] {
            #expect(expiry(text) == nil, "\(text)")
        }
    }

    @Test func everyRefusalHasItsName() {
        #expect(Set(RelayTokenRefusal.allCases.map(\.label)).count == 7)
        #expect(Set(RelayTokenRefusal.allCases.map(\.description)).count == 7)
    }
}
