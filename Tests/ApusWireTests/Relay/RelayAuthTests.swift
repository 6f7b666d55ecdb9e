// The first message, from either side: every cut, every wrong byte, the limits.

import ApusWire
import Testing

struct RelayAuthTests {
    private let token = [UInt8](repeating: 7, count: 43)

    private func auth(tokenByteCount: Int) -> [UInt8] {
        [1, 6, 0x21, 0x12, 0xA4, 0x42] + bytes(of: peer(5)) + [UInt8](repeating: 9, count: tokenByteCount)
    }

    private func violation(_ message: [UInt8]) -> RelayAuthViolation? {
        do throws(RelayAuthViolation) {
            _ = try RelayAuth(decoding: message.span.bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test func everyTokenUpToTheLimitFits() throws {
        for byteCount in 0...170 {
            let message = auth(tokenByteCount: byteCount)
            let auth = try RelayAuth(decoding: message.span.bytes)
            #expect((auth.peer, auth.token) == (peer(5), 42..<42 + byteCount))
        }
        #expect(RelayFormat.tokenByteCountMax == 170)
    }

    @Test func oneByteMoreIsRefused() {
        #expect(violation(auth(tokenByteCount: 171)) == .oversize(byteCount: 213))
        #expect(violation(auth(tokenByteCount: 8000)) == .oversize(byteCount: 8042))
    }

    @Test func everyCutIsRefused() {
        let message = auth(tokenByteCount: 0)
        #expect(violation([]) == .empty)
        #expect(violation([1]) == .tooShort)
        for byteCount in 2..<42 {
            #expect(violation(Array(message[..<byteCount])) == .truncated(byteCount: byteCount))
        }
        #expect(violation(message) == nil)
    }

    @Test func everyOtherVersionIsRefused() {
        var message = auth(tokenByteCount: 43)
        for version in UInt8.min...UInt8.max where version != 1 {
            message[0] = version
            #expect(violation(message) == .version(version))
        }
    }

    /// Also Hello, which only NetBird 0.29.0 sent.
    @Test func everyOtherTypeIsRefused() {
        var message = auth(tokenByteCount: 43)
        for type in UInt8.min...UInt8.max where type != 6 {
            message[1] = type
            #expect(violation(message) == .type(type))
        }
    }

    @Test func everyBitOfTheMagicNumberCounts() {
        for bit in 0..<32 {
            var message = auth(tokenByteCount: 43)
            message[2 + bit / 8] ^= 1 << UInt8(bit % 8)
            let magic = RelayFormat.magic ^ (1 << UInt32(24 - bit / 8 * 8 + bit % 8))
            #expect(violation(message) == .magic(magic))
        }
        // The reference compares it before it reads the id.
        #expect(violation([1, 6, 0, 0, 0, 0]) == .magic(0))
    }

    @Test func everyViolationHasItsName() {
        let violations: [RelayAuthViolation] = [
            .empty, .tooShort, .version(2), .type(1), .type(3), .truncated(byteCount: 4), .magic(7),
            .oversize(byteCount: 213),
        ]
        #expect(Set(violations.map(\.description)).count == violations.count)
        #expect(Set(violations.map(\.label)).count == violations.count - 1)
    }

    // MARK: The answer

    private func answerViolation(_ message: [UInt8]) -> RelayAuthResponse.Violation? {
        do throws(RelayAuthResponse.Violation) {
            _ = try RelayAuthResponse(decoding: message.span.bytes)
            return nil
        } catch {
            return error
        }
    }

    @Test func anAnswerHasAURLThatFits() {
        #expect(answerViolation([]) == .header(.empty))
        #expect(answerViolation([1]) == .header(.tooShort))
        #expect(answerViolation([1, 7]) == .empty)
        #expect(answerViolation([1, 7, 0x72]) == nil)
        #expect(answerViolation([1, 7] + [UInt8](repeating: 0x72, count: 8190)) == nil)
        #expect(answerViolation([1, 7] + [UInt8](repeating: 0x72, count: 8191)) == .oversize(byteCount: 8193))
        #expect(answerViolation([1, 3] + [UInt8](repeating: 0, count: 40)) == .header(.type(3)))
    }
}
