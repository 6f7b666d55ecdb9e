// One connection's state on the loop: what the kernel holds, bytes on their way in and out, the session. Only the
// loop's thread touches it.

import ApusReactor
import ApusSecurity

/// A class, since it is named from several places of its one thread, and its send block must not move.
final class ClientConnection {
    /// connecting ──▶ securing (where it is protected) ──▶ open ──▶ closing ──bits clear──▶ (free)
    enum Phase {
        case connecting, securing, open, closing
    }

    let line: UInt64
    let slot: UInt32
    let generation: UInt32
    let opening: Opening
    /// What `connect` reads until it completes.
    private let target = UnsafeMutablePointer<SocketAddress>.allocate(capacity: 1)
    private var candidates: ArraySlice<SocketAddress>

    var phase = Phase.connecting
    var descriptor: Descriptor?
    var session: any Session
    var inbound = InboundBytes()
    var outbound = OutboundBytes()
    /// What protects it; nil: nothing does.
    var channel: ClientChannel?
    /// The channel's bytes that are being sent; they stay in place until they are.
    var flight = UnsafeRawBufferPointer(start: nil, count: 0)
    /// TLS's goodbye is written.
    var isChannelFinished = false
    /// When connecting ends.
    let connectDeadline: Instant
    /// Why the last candidate would not connect.
    var refusal: ClientError

    // What the kernel holds. The connection is freed only when none of these is set.
    var connecting = false
    var receiving = false
    var sending = false
    var shuttingDown = false
    var closing = false

    /// Cancels are on their way.
    var cancelling = false
    /// Our FIN was sent.
    var isShutDown = false
    /// Listed for `settle` at the end of this turn.
    var isTouched = false

    init(_ opening: Opening, line: UInt64, slot: UInt32, generation: UInt32, at now: Instant) {
        self.line = line
        self.slot = slot
        self.generation = generation
        self.opening = opening
        session = opening.makeSession()
        candidates = opening.candidates[...]
        connectDeadline = now + Nanoseconds(opening.timeout)
        refusal = .cannotConnect(address: opening.address, reason: "the name has no address; correct it.")
    }

    deinit { target.deallocate() }

    /// Few enough bytes wait.
    var mayWrite: Bool { (channel?.outgoingByteCount ?? 0) < OutboundBytes.gatheredByteCountMax }

    /// TLS promised a goodbye that has not come. After ours it makes no difference.
    var isCut: Bool {
        guard case .tls = opening.security, let channel else { return false }
        return !channel.isClosedByPeer && !isChannelFinished
    }

    /// Everything that was written has left.
    var hasSentAll: Bool { outbound.isEmpty && flight.isEmpty && (channel?.outgoingByteCount ?? 0) == 0 }

    var isHeldByKernel: Bool { connecting || receiving || sending || shuttingDown || closing }

    func token(_ operation: Operation) -> Token { Token(operation, slot: slot, generation: generation) }

    /// The next address to try; nil when all were tried.
    func nextCandidate() -> SocketAddress? {
        guard let candidate = candidates.popFirst() else { return nil }
        target.initialize(to: candidate)
        return candidate
    }

    /// The bytes of the latest candidate; they stay in place until the next, and none follows before `connect` is over.
    var targetBytes: UnsafeRawBufferPointer { SocketAddress.bytes(of: target) }
}

/// Bytes that were received and not consumed: the beginning of a packet. It grows with what arrived, never with what
/// was announced.
struct InboundBytes {
    private var bytes: [UInt8] = []

    var isEmpty: Bool { bytes.isEmpty }

    /// Show `read` what is here and `new` behind it; it says how many bytes are done with. Only a packet that straddles
    /// two receives is copied.
    mutating func take(
        _ new: RawSpan, _ read: (RawSpan) throws(ClientError) -> Int
    ) throws(ClientError) {
        guard isEmpty else {
            append(new)
            return consume(try read(bytes.span.bytes))
        }
        append(new.extracting(try read(new)..<new.byteCount))
    }

    private mutating func append(_ span: RawSpan) {
        // The buffer is read inside the closure only.
        span.withUnsafeBytes { bytes.append(contentsOf: $0) }
    }

    private mutating func consume(_ byteCount: Int) {
        if byteCount == bytes.count { bytes = [] } else { bytes.removeFirst(byteCount) }
    }
}
