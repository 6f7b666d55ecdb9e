// Channels that talk to each other without a network.

import ApusSecurity

/// A channel and what it needs to work.
struct SealedEnd: ~Copyable {
    var channel: SealedChannel
    private var aead = AEADContext()

    init(_ channel: consuming SealedChannel) { self.channel = channel }

    mutating func seal(_ plaintext: [UInt8]) -> [UInt8] {
        let count = plaintext.count + SealedChannel.overhead
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            let target = UnsafeMutableRawPointer(buffer.baseAddress!)  // the overhead is not zero
            channel.seal(plaintext.span.bytes, into: target, with: &aead)
            initialized = count
        }
    }

    /// The plaintext may lie where its ciphertext comes.
    mutating func sealInPlace(_ plaintext: [UInt8]) -> [UInt8] {
        var payload = [UInt8](repeating: 0, count: 24) + plaintext + [UInt8](repeating: 0, count: 16)
        payload.withUnsafeMutableBytes { buffer in
            let content = UnsafeRawBufferPointer(rebasing: buffer[24..<24 + plaintext.count])
            channel.seal(RawSpan(_unsafeBytes: content), into: buffer.baseAddress!, with: &aead)
        }
        return payload
    }

    mutating func open(_ payload: [UInt8]) throws(SealedViolation) -> [UInt8] {
        try openInPlace(payload).plaintext
    }

    /// Also what the buffer holds afterwards.
    mutating func openInPlace(_ payload: [UInt8]) throws(SealedViolation) -> (plaintext: [UInt8], buffer: [UInt8]) {
        var buffer = payload
        let range = try open(&buffer)
        return (Array(buffer[range]), buffer)
    }

    mutating func open(_ buffer: inout [UInt8]) throws(SealedViolation) -> Range<Int> {
        var opened: Result<Range<Int>, SealedViolation> = .failure(.truncated)
        buffer.withUnsafeMutableBytes { bytes in
            do throws(SealedViolation) {
                opened = .success(try channel.open(bytes, with: &aead))
            } catch {
                opened = .failure(error)
            }
        }
        return try opened.get()
    }
}

/// Two ends of one session.
struct SealedPair: ~Copyable {
    var client: SealedEnd
    var server: SealedEnd

    static let clientPrefix = [UInt8](repeating: 0xC1, count: 16)
    static let serverPrefix = [UInt8](repeating: 0x5E, count: 16)

    /// Version 1 has one key for both directions, the extension has two.
    init(_ order: SealedChannel.Order) {
        let toServer = SecretKey32([UInt8](repeating: 7, count: 32))
        let toClient = SecretKey32([UInt8](repeating: order == .any ? 7 : 8, count: 32))
        client = SealedEnd(
            SealedChannel(
                sendKey: toServer, receiveKey: toClient, order: order, sendPrefix: SealedPair.clientPrefix))
        server = SealedEnd(
            SealedChannel(
                sendKey: toClient, receiveKey: toServer, order: order, sendPrefix: SealedPair.serverPrefix))
    }
}

/// A packet of the key of version 1's pair, as a peer that draws every nonce anew makes it.
func sealedByStranger(_ plaintext: [UInt8], nonce: [UInt8]) -> [UInt8] {
    let key = SecretKey32([UInt8](repeating: 7, count: 32))
    return nonce + XChaCha20Poly1305.seal(plaintext.span.bytes, key: key, nonce: nonce.span.bytes)
}
