// What the channels of one thread share: the TLS context, the cipher's context, room to work in.

import ApusWire

/// Why a protected connection cannot go on.
public enum ChannelFailure: Error, Equatable, Sendable, CustomStringConvertible {
    case handshake(HandshakeRefusal)
    case sealed(SealedViolation)
    case packet(PacketViolation)
    case tls(TLSFailure)
    /// A payload that was packed otherwise than agreed, or does not unpack.
    case packing

    public var description: String {
        switch self {
        case .handshake(let refusal): "the handshake was refused here: \(refusal)"
        case .sealed(let violation): violation.description
        case .packet(let violation): violation.description
        case .tls(let failure): failure.description
        case .packing: "a packed payload does not unpack within its limits: give both sides the same ones"
        }
    }
}

/// Packs and unpacks payloads where that was agreed on; whoever knows compression hands it in.
public struct PayloadPacking {
    /// The packed form, when it is shorter.
    public var pack: (_ payload: RawSpan, _ algorithm: UInt8) -> [UInt8]?
    /// Nil: malformed, or larger than allowed.
    public var unpack: (_ packed: RawSpan, _ algorithm: UInt8) -> [UInt8]?

    public init(
        pack: @escaping (RawSpan, UInt8) -> [UInt8]?, unpack: @escaping (RawSpan, UInt8) -> [UInt8]?
    ) {
        self.pack = pack
        self.unpack = unpack
    }
}

/// Not for two threads.
@safe
public final class ClientChannels {
    public let security: ClientSecurity
    let packing: PayloadPacking?
    var aead = AEADContext()
    /// Nil: no TLS.
    private let context: TLSContext?
    /// Where TLS puts what it opens: four of its records.
    let opened: UnsafeMutableRawBufferPointer

    /// - Parameter packing: who packs payloads where the handshake agrees on it; nil where no compression is offered.
    public init(_ security: ClientSecurity, packing: PayloadPacking? = nil) throws(TLSConfigurationError) {
        self.security = security
        self.packing = packing
        switch security {
        case .handshake: context = nil
        case .tls(let material): context = try TLSContext(client: material)
        }
        unsafe opened = .allocate(byteCount: 64 << 10, alignment: 64)
    }

    deinit { unsafe opened.deallocate() }

    /// - Parameters:
    ///   - serverName: TLS: the name or address that the certificate must be for; nil: the settings' one.
    ///   - resumption: TLS: what an earlier channel of the same server left.
    public func open(
        wallMilliseconds: UInt64, serverName: String? = nil, resuming resumption: TLSResumption? = nil
    ) throws(TLSConfigurationError) -> ClientChannel {
        switch context {
        case .some(let context):
            ClientChannel(try TLSSession(context, serverName: serverName, resuming: resumption), self)
        case nil: openSealed(wallMilliseconds)
        }
    }

    private func openSealed(_ wallMilliseconds: UInt64) -> ClientChannel {
        guard case .handshake(let settings) = security else { preconditionFailure("TLS has a context") }
        return ClientChannel(sealedBy: ClientHandshake(settings), self, wallMilliseconds: wallMilliseconds)
    }
}
