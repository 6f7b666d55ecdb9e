// What stands between the wire and a connection's session.

import ApusReactor
import ApusSecurity

/// The memory behind the pointers belongs to the connection, which gives it back with `release`.
package enum Protection: BitwiseCopyable {
    case none
    /// Keys are being agreed on; packets are plain and short.
    case handshake(UnsafeMutablePointer<ServerHandshake>)
    /// Every payload is sealed.
    case sealed(UnsafeMutablePointer<SealedConnection>)
    /// The stream is TLS records.
    case tls(UnsafeMutablePointer<TLSConnection>)

    /// Bytes that a packet's payload is longer on the wire than in the clear.
    @inline(__always)
    var payloadOverhead: Int {
        switch self {
        case .none, .handshake, .tls: 0
        case .sealed(let sealed): sealed.pointee.payloadOverhead
        }
    }

    /// Wipe and free what is behind it.
    func release(to pool: inout BufferPool) {
        switch self {
        case .none: break
        case .handshake(let handshake):
            handshake.deinitialize(count: 1)
            handshake.deallocate()
        case .sealed(let sealed):
            sealed.deinitialize(count: 1)
            sealed.deallocate()
        case .tls(let tls):
            tls.pointee.plaintext.discard(to: &pool)
            tls.deinitialize(count: 1)
            tls.deallocate()
        }
    }
}

/// Who the peer proved to be, by the means of its listener.
public enum PeerProof: Equatable, Sendable {
    /// Nothing was asked, or nothing was proven: plain, TLS without a client certificate, or NPRO version 1 alone.
    case none
    /// It holds the pre-shared key, the private key of `identity` (Ed25519, 32 bytes), or both.
    case handshake(identity: [UInt8]?)
    /// It holds the private key of a certificate that was verified.
    case certificate(CertificateSummary)
}
