// A session's keys and nonces: seals the packets of one direction, opens those of the other. It knows nothing of
// sockets and of what the packets mean.

import COpenSSL

/// The payload of a packet after the handshake (NPRO §3); there are no additional authenticated bytes:
///
///      0                               24                      n - 16          n
///     +-------------------------------+--------- - - ---------+---------------+
///     | nonce                         | ciphertext            | tag           |
///     +-------------------------------+--------- - - ---------+---------------+
///
/// Three keys of 32 bytes lie in one heap block, and in sessions of version 1 what is remembered of nonces lies behind
/// them (`memoryByteCount`). So the value can be moved without leaving keys behind, and its end wipes them. Sealing and
/// opening allocate nothing.
@safe
public struct SealedChannel: ~Copyable {
    public static let nonceByteCount = SealedNonce.byteCount
    public static let tagByteCount = AEADContext.tagByteCount
    /// Bytes by which a sealed payload is longer than its plaintext.
    public static let overhead = nonceByteCount + tagByteCount
    /// What fits into a packet: 16 MiB less the overhead (NPRO §3).
    public static let plaintextByteCountMax = 16 * 1024 * 1024 - overhead

    /// How the peer's nonces follow each other.
    public enum Order: BitwiseCopyable, Sendable {
        /// One prefix, its counter 0, 1, 2 …: a packet that is repeated, missing or exchanged is told from its nonce.
        /// What peers agree on in the handshake extension.
        case strict
        /// Anything that was not there before: version 1 leaves nonces to the peer. While a prefix repeats its
        /// counter must grow; of earlier prefixes the last `earlierPrefixesMax` are known, and a packet from before
        /// them that is repeated is not told.
        case any
    }

    /// Earlier prefixes that a session of version 1 remembers: 1 KiB. Each packet of the first NPRO daemon has its own.
    public static let earlierPrefixesMax = 128

    /// Receive key, receive subkey, candidate for the receive subkey, send subkey; then the earlier prefixes, each
    /// folded to 8 bytes.
    private let block: UnsafeMutableRawPointer
    private static let keyByteCount = 32
    private static let prefixesOffset = 4 * keyByteCount

    private let order: Order
    private var isWiped = false
    private var hasReceived = false
    private var hasSent = false
    private var sending: SealedNonce
    /// The last one received, if there was one.
    private var received: SealedNonce
    /// Those remembered, and where the next one is put.
    private var earlierCount = 0
    private var earlierNext = 0

    /// - Parameters:
    ///   - sendKey: the keys are copied.
    ///   - receiveKey: in sessions of version 1 the same.
    public init(sendKey: borrowing SecretKey32, receiveKey: borrowing SecretKey32, order: Order) {
        self.init(
            sendKey: sendKey, receiveKey: receiveKey, order: order,
            sendPrefix: SecureRandom.bytes(SealedNonce.prefixByteCount))
    }

    /// - Parameter sendPrefix: 16 bytes, never used before with `sendKey`.
    package init(
        sendKey: borrowing SecretKey32, receiveKey: borrowing SecretKey32, order: Order, sendPrefix: [UInt8]
    ) {
        precondition(sendPrefix.count == SealedNonce.prefixByteCount, "a nonce's prefix has exactly 16 bytes")
        let byteCount = SealedChannel.memoryByteCount(order)
        unsafe block = .allocate(byteCount: byteCount, alignment: 64)
        unsafe block.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
        self.order = order
        sending = unsafe sendPrefix.withUnsafeBytes { prefix in
            // It has 16 bytes, so it has a base address.
            unsafe SealedNonce(prefix: SealedNonce.prefix(at: prefix.baseAddress.unsafelyUnwrapped), counter: 0)
        }
        received = SealedNonce(prefix: SIMD2(0, 0), counter: 0)
        unsafe block.copyMemory(from: receiveKey.start, byteCount: SealedChannel.keyByteCount)
        unsafe sendPrefix.withUnsafeBytes { prefix in
            unsafe HChaCha20.derive(
                key: sendKey.start, nonce: prefix.baseAddress.unsafelyUnwrapped, into: sendSubkey)
        }
    }

    deinit {
        unsafe OPENSSL_cleanse(block, SealedChannel.prefixesOffset)
        unsafe block.deallocate()
    }

    /// Heap memory of one channel.
    public static func memoryByteCount(_ order: Order) -> Int {
        switch order {
        case .strict: prefixesOffset
        case .any: prefixesOffset + earlierPrefixesMax * MemoryLayout<UInt64>.size
        }
    }

    /// Forget the keys now. Nothing can be sealed or opened any more.
    public mutating func wipe() {
        unsafe OPENSSL_cleanse(block, SealedChannel.prefixesOffset)
        isWiped = true
    }

    // MARK: Sealing

    /// Write nonce, ciphertext and tag.
    ///
    /// - Parameters:
    ///   - plaintext: `plaintextByteCountMax` at most. It may lie at `target` + 24 exactly, and not overlap otherwise.
    ///   - target: room for `overhead` bytes more than the plaintext.
    public mutating func seal(
        _ plaintext: RawSpan, into target: UnsafeMutableRawPointer, with aead: inout AEADContext
    ) {
        precondition(plaintext.byteCount <= SealedChannel.plaintextByteCountMax, "the plaintext does not fit a packet")
        precondition(!isWiped, "the channel's keys were wiped")
        unsafe sending.write(to: target)
        let ciphertext = unsafe target + SealedChannel.nonceByteCount
        unsafe plaintext.withUnsafeBytes { plaintext in
            unsafe withUnsafeBytes(of: sending.short) { nonce in
                unsafe aead.seal(
                    plaintext, key: sendSubkey, nonce: nonce.baseAddress.unsafelyUnwrapped, into: ciphertext,
                    tag: ciphertext + plaintext.count)
            }
        }
        // 2^64 packets are never sent.
        sending.counter += 1
        hasSent = true
    }

    // MARK: Opening

    /// Decrypt a payload where it lies.
    ///
    /// - Returns: where in `payload` its plaintext is: behind the nonce, before the tag.
    /// - Throws: then the payload holds no plaintext, and the connection must end.
    public mutating func open(
        _ payload: UnsafeMutableRawBufferPointer, with aead: inout AEADContext
    ) throws(SealedViolation) -> Range<Int> {
        precondition(!isWiped, "the channel's keys were wiped")
        guard payload.count >= SealedChannel.overhead, let start = payload.baseAddress else { throw .truncated }
        let nonce = unsafe SealedNonce(at: start)
        let isNewPrefix = try admit(nonce)
        if isNewPrefix { unsafe HChaCha20.derive(key: receiveKey, nonce: start, into: candidateSubkey) }
        let subkey = unsafe isNewPrefix ? candidateSubkey : receiveSubkey
        let plaintext = SealedChannel.nonceByteCount..<payload.count - SealedChannel.tagByteCount
        guard unsafe open(payload, at: plaintext, nonce, subkey, &aead) else { throw .authenticationFailed }
        accept(nonce, isNewPrefix: isNewPrefix)
        return plaintext
    }

    @inline(__always)
    private func open(
        _ payload: UnsafeMutableRawBufferPointer, at range: Range<Int>, _ nonce: SealedNonce,
        _ subkey: UnsafeRawPointer, _ aead: inout AEADContext
    ) -> Bool {
        let ciphertext = unsafe UnsafeMutableRawBufferPointer(rebasing: payload[range])
        // Inside the payload, so that there is an address even if there is no ciphertext.
        let start = unsafe payload.baseAddress.unsafelyUnwrapped
        return unsafe withUnsafeBytes(of: nonce.short) { nonce in
            unsafe aead.open(
                UnsafeRawBufferPointer(ciphertext), key: subkey, nonce: nonce.baseAddress.unsafelyUnwrapped,
                into: start + range.lowerBound, tag: start + range.upperBound)
        }
    }

    /// Whether the nonce's prefix is another than that of the last packet; it throws if the nonce may not come now.
    @inline(__always)
    private func admit(_ nonce: SealedNonce) throws(SealedViolation) -> Bool {
        if nonce.prefix == sending.prefix { throw .reflected }
        let isNewPrefix = !hasReceived || nonce.prefix != received.prefix
        switch order {
        case .strict: try admitNext(nonce, isNewPrefix: isNewPrefix)
        case .any: try admitFresh(nonce, isNewPrefix: isNewPrefix)
        }
        return isNewPrefix
    }

    @inline(__always)
    private func admitNext(_ nonce: SealedNonce, isNewPrefix: Bool) throws(SealedViolation) {
        guard hasReceived else {
            guard nonce.counter == 0 else { throw .outOfSequence }
            return
        }
        if isNewPrefix { throw .outOfSequence }
        if nonce.counter <= received.counter { throw .replayed }
        // It is above the last one, so there is no underflow.
        if nonce.counter - received.counter != 1 { throw .outOfSequence }
    }

    private func admitFresh(_ nonce: SealedNonce, isNewPrefix: Bool) throws(SealedViolation) {
        if isNewPrefix {
            if remembers(nonce.prefix) { throw .replayed }
        } else if nonce.counter <= received.counter {
            throw .replayed
        }
    }

    /// The payload was authentic.
    @inline(__always)
    private mutating func accept(_ nonce: SealedNonce, isNewPrefix: Bool) {
        if isNewPrefix {
            if hasReceived, order == .any { remember(received.prefix) }
            unsafe receiveSubkey.copyMemory(from: candidateSubkey, byteCount: SealedChannel.keyByteCount)
            hasReceived = true
        }
        received = nonce
    }

    // MARK: Earlier prefixes

    /// 8 bytes stand for 16: only who knows the key can make a packet that counts, and for random prefixes a wrong
    /// match has a chance of 2^-57 at a packet.
    @inline(__always)
    private func folded(_ prefix: SealedNonce.Prefix) -> UInt64 { prefix.x ^ prefix.y }

    private func remembers(_ prefix: SealedNonce.Prefix) -> Bool {
        let wanted = folded(prefix)
        for index in 0..<earlierCount where unsafe earlier[index] == wanted { return true }
        return false
    }

    private mutating func remember(_ prefix: SealedNonce.Prefix) {
        unsafe earlier[earlierNext] = folded(prefix)
        earlierNext = (earlierNext + 1) % SealedChannel.earlierPrefixesMax
        earlierCount = min(earlierCount + 1, SealedChannel.earlierPrefixesMax)
    }

    // MARK: The block

    private var receiveKey: UnsafeMutableRawPointer { unsafe block }
    private var receiveSubkey: UnsafeMutableRawPointer { unsafe block + SealedChannel.keyByteCount }
    private var candidateSubkey: UnsafeMutableRawPointer { unsafe block + 2 * SealedChannel.keyByteCount }
    private var sendSubkey: UnsafeMutableRawPointer { unsafe block + 3 * SealedChannel.keyByteCount }

    /// `earlierPrefixesMax` numbers, in channels of any order only.
    private var earlier: UnsafeMutablePointer<UInt64> {
        unsafe (block + SealedChannel.prefixesOffset).assumingMemoryBound(to: UInt64.self)
    }
}
