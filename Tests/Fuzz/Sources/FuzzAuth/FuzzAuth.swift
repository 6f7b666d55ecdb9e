// libFuzzer driver for the relay's first message and its token: nobody is believed whose token is not signed, and of a
// signed one the digits mean what the standard library says they mean.

import ApusSecurity
import ApusWire
import FuzzSupport

@main
struct FuzzAuth {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

let current = "supersecret"
let previous = "old"
let keys = RelayTokenKeys(secrets: [current, previous], lifetimeSecondsMax: 1 << 40)
let hashes = [current, previous].map { SHA256.hash(Array($0.utf8).span.bytes) }
let now: Int64 = 1_700_000_000

/// An input is a byte and an Auth. The byte says whether its token is signed after all: 1 with the current secret, 2
/// with the previous one; everything else leaves it as it is.
func fuzz(_ input: [UInt8]) {
    guard let signer = input.first else { return }
    var message = Array(input.dropFirst())
    if 1...2 ~= signer { sign(&message, hashes[Int(signer) - 1]) }
    do throws(RelayAuthViolation) {
        let auth = try RelayAuth(decoding: message.span.bytes)
        require(naiveAuth(message), "no Auth was read as one")
        check(auth, message)
    } catch {
        require(!naiveAuth(message), "an Auth was refused: \(error)")
    }
}

func naiveAuth(_ message: [UInt8]) -> Bool {
    42...212 ~= message.count && message.prefix(6).elementsEqual([1, 6, 0x21, 0x12, 0xA4, 0x42])
}

func sign(_ message: inout [UInt8], _ key: [UInt8]) {
    guard message.count > 75 else { return }
    let expiry = Array(message[75...])
    message.replaceSubrange(43..<75, with: HMACSHA256.authenticate(expiry.span.bytes, key: key.span.bytes))
}

func check(_ auth: RelayAuth, _ message: [UInt8]) {
    let token = Array(message[auth.token])
    let again = [UInt8](unsafeUninitializedCapacity: 300) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        RelayEncoder.writeAuth(auth.peer, token: token.span.bytes, into: &output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
    require(again == message, "an Auth encodes to other bytes")
    do throws(RelayTokenRefusal) {
        let claim = try keys.validate(token.span.bytes, at: now)
        require(expected(token) == nil, "a token is believed that is \(String(describing: expected(token)))")
        let seconds = Int64(String(decoding: token.dropFirst(33), as: UTF8.self))
        require(claim.expirySeconds == seconds, "the expiry is another")
        require(claim.isCurrent == isSigned(token, hashes[0]), "signed with the other secret")
    } catch {
        require(expected(token) == error, "refused as \(error), not as \(String(describing: expected(token)))")
    }
}

/// Why a token is refused, by a reader that knows only the standard library; nil when it is good.
func expected(_ token: [UInt8]) -> RelayTokenRefusal? {
    guard let algorithm = token.first else { return .empty }
    guard algorithm == 1 else { return .unsupportedAlgorithm }
    guard token.count >= 43 else { return .tooShort }
    guard hashes.contains(where: { isSigned(token, $0) }) else { return .badSignature }
    guard let seconds = Int64(String(decoding: token.dropFirst(33), as: UTF8.self)) else { return .malformedExpiry }
    guard seconds >= now else { return .expired }
    return seconds - now > 1 << 40 ? .lifetimeTooLong : nil
}

func isSigned(_ token: [UInt8], _ key: [UInt8]) -> Bool {
    let expiry = Array(token.dropFirst(33))
    guard !expiry.isEmpty else { return false }
    return HMACSHA256.authenticate(expiry.span.bytes, key: key.span.bytes).elementsEqual(token[1..<33])
}
