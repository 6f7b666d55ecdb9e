// One connection's sealed channel and what its handshake agreed on.

import ApusCompression
import ApusSecurity
import ApusWire

package struct SealedConnection: ~Copyable {
    var channel: SealedChannel
    /// Nil: payloads go as they are, without a byte that says so.
    let compression: CompressionAlgorithm?
    let proof: PeerProof
    /// The packet at the front of the undecoded bytes was opened, and then had to wait: it lies there as plaintext.
    var isFrontOpened = false

    init(_ session: consuming EstablishedSession) {
        compression = session.compression.flatMap(CompressionAlgorithm.init(rawValue:))
        // An identity counts where it was pinned: anyone can make one.
        proof = session.isAuthenticated ? .handshake(identity: session.peerIdentity) : .none
        channel = session.channel
    }

    /// Nonce and tag, and with compression the byte that says how the payload is packed.
    var payloadOverhead: Int { SealedChannel.overhead + (compression == nil ? 0 : 1) }

    /// Where the payload starts behind the packet's header.
    var payloadOffset: Int { SealedChannel.nonceByteCount + (compression == nil ? 0 : 1) }

    /// Open a payload where it lies; returns where its plaintext is. A payload that had to wait is not opened twice.
    mutating func open(
        _ payload: UnsafeMutableRawBufferPointer, with aead: inout AEADContext
    ) throws(SealedViolation) -> Range<Int> {
        guard isFrontOpened else { return try channel.open(payload, with: &aead) }
        isFrontOpened = false
        return SealedChannel.nonceByteCount..<payload.count - SealedChannel.tagByteCount
    }
}
