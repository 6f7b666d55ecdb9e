// libFuzzer driver for opening sealed packets: what opens was sealed by the peer, was not opened before, and says what
// was sealed; what does not open leaves no plaintext.

import ApusSecurity
import FuzzSupport

@main
struct FuzzSealed {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is a byte for the order of nonces and then steps. A step is a byte, what comes (bits 0 and 1) and a length
/// (the rest), with so many bytes behind it:
///
///     0   those bytes come
///     1   the peer seals those bytes, and nothing comes yet
///     2   a packet of the peer comes: the first byte says which; the others are laid over it (offset, exclusive or)
///     3   we seal those bytes, and they come back to us
func fuzz(_ input: [UInt8]) {
    guard let order = input.first else { return }
    var session = Session(order & 1 == 0 ? .strict : .any)
    var rest = input.dropFirst()
    while let step = rest.popFirst() {
        let bytes = Array(rest.prefix(Int(step >> 2)))
        rest = rest.dropFirst(bytes.count)
        session.take(step & 3, bytes)
    }
}

struct Session: ~Copyable {
    let order: SealedChannel.Order
    var own: End
    var peer: End
    var plaintexts: [[UInt8]] = []
    var packets: [[UInt8]] = []
    /// Indices of the packets that were opened.
    var opened: [Int] = []

    init(_ order: SealedChannel.Order) {
        self.order = order
        // Version 1 has one key for both directions.
        let (ours, theirs): (UInt8, UInt8) = order == .any ? (1, 1) : (1, 2)
        own = End(send: ours, receive: theirs, order, prefix: 7)
        peer = End(send: theirs, receive: ours, order, prefix: 8)
    }

    mutating func take(_ kind: UInt8, _ bytes: [UInt8]) {
        switch kind {
        case 0: open(bytes)
        case 1:
            plaintexts.append(bytes)
            packets.append(peer.seal(bytes))
        case 2:
            guard let which = bytes.first, !packets.isEmpty else { return }
            var packet = packets[Int(which) % packets.count]
            for index in stride(from: 1, to: bytes.count - 1, by: 2) where Int(bytes[index]) < packet.count {
                packet[Int(bytes[index])] ^= bytes[index + 1]
            }
            open(packet)
        default:
            open(own.seal(bytes))
        }
    }

    mutating func open(_ payload: [UInt8]) {
        var buffer = payload
        let result = own.open(&buffer)
        switch result {
        case .success(let range): checkOpened(payload, plaintext: Array(buffer[range]))
        case .failure(let violation): check(violation, payload, buffer)
        }
    }

    mutating func checkOpened(_ payload: [UInt8], plaintext: [UInt8]) {
        guard let index = packets.firstIndex(of: payload) else { return require(false, "a forged packet opened") }
        require(plaintexts[index] == plaintext, "a packet opened to other bytes")
        switch order {
        case .strict: require(index == opened.count, "a packet opened out of its order")
        case .any: require(opened.allSatisfy { $0 < index }, "a packet opened after a later one")
        }
        opened.append(index)
    }

    func check(_ violation: SealedViolation, _ payload: [UInt8], _ buffer: [UInt8]) {
        let overhead = SealedChannel.overhead
        require((violation == .truncated) == (payload.count < overhead), "the wrong reason for a short payload")
        guard violation == .authenticationFailed else { return require(buffer == payload, "refused and altered") }
        let plaintext = buffer[24..<buffer.count - 16]
        require(plaintext.allSatisfy { $0 == 0 }, "a packet that is not authentic left a plaintext")
        require(!packets.contains(payload), "an honest packet was not authentic")
    }
}

/// One end of the session.
struct End: ~Copyable {
    var channel: SealedChannel
    var aead = AEADContext()

    /// The same in every run, so that an input does the same again.
    init(send: UInt8, receive: UInt8, _ order: SealedChannel.Order, prefix: UInt8) {
        let sendKey = SecretKey32(copying: [UInt8](repeating: send, count: 32).span.bytes)
        let receiveKey = SecretKey32(copying: [UInt8](repeating: receive, count: 32).span.bytes)
        channel = SealedChannel(
            sendKey: sendKey, receiveKey: receiveKey, order: order, sendPrefix: [UInt8](repeating: prefix, count: 16))
    }

    mutating func seal(_ plaintext: [UInt8]) -> [UInt8] {
        var payload = [UInt8](repeating: 0, count: plaintext.count + SealedChannel.overhead)
        payload.withUnsafeMutableBytes {
            channel.seal(plaintext.span.bytes, into: $0.baseAddress!, with: &aead)  // the overhead is not zero
        }
        return payload
    }

    mutating func open(_ payload: inout [UInt8]) -> Result<Range<Int>, SealedViolation> {
        payload.withUnsafeMutableBytes { bytes in
            do throws(SealedViolation) {
                return .success(try channel.open(bytes, with: &aead))
            } catch {
                return .failure(error)
            }
        }
    }
}
