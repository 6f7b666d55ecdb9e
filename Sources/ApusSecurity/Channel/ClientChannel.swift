// The client's side of a protected connection, without a socket: plain packets on one side, bytes of the wire on the
// other. Whoever owns the socket feeds it what arrives and sends what it gathers.

import ApusWire

/// What protects a connection, as its client asks for it.
public enum ClientSecurity: Sendable {
    /// NPRO's handshake and sealed packets (NPRO §2, §3).
    case handshake(HandshakeSettings)
    /// TLS; inside it packets are plain.
    case tls(TLSMaterial)
}

/// What the sides agreed on.
public struct ChannelAgreement: Equatable, Sendable {
    /// The server proved that it holds what was configured here: the pre-shared key, a pinned identity, a certificate.
    public var isAuthenticated: Bool
    /// The Ed25519 public key of the server's identity, if it showed one.
    public var peerIdentity: [UInt8]?
    /// The code of the algorithm that payloads may be packed with.
    public var compression: UInt8?
    /// TLS: an earlier session went on.
    public var isResumed = false
    /// TLS: the version and ALPN's protocol.
    public var tlsVersion: TLSVersion?
    public var applicationProtocol: String?
}

/// One connection. Its owner sends what `takeOutgoing` hands out.
public final class ClientChannel {
    private let shared: ClientChannels
    // One of the three, one after the other for the first two.
    private var handshake: ClientHandshake?
    private var sealed: SealedChannel?
    private var tls: TLSSession?
    private var outgoing = WireBytes()
    /// The beginning of a packet.
    private var incoming: [UInt8] = []
    /// What it must hold before looking at it is worth while.
    private var byteCountNeeded = 0
    /// Nil until plain packets may be sent.
    public private(set) var agreement: ChannelAgreement?
    /// TLS: the peer said that nothing follows.
    public private(set) var isClosedByPeer = false

    init(sealedBy handshake: consuming ClientHandshake, _ shared: ClientChannels, wallMilliseconds: UInt64) {
        self.shared = shared
        self.handshake = .some(handshake)
        if let hello = self.handshake?.start(wallMilliseconds: wallMilliseconds) { appendPacket(hello) }
    }

    init(_ session: consuming TLSSession, _ shared: ClientChannels) {
        self.shared = shared
        tls = .some(session)
        let nothing = unsafe UnsafeRawBufferPointer(start: nil, count: 0)
        let room = unsafe outgoing.room(TLSSession.recordRoomByteCount)
        // Says hello. What goes wrong with it is said again when something arrives.
        let step = unsafe tls?.receive(nothing, plaintext: shared.opened, records: room)
        outgoing.commit(step?.recordByteCount ?? 0)
    }

    public var isReady: Bool { agreement != nil }

    /// Bytes that wait to be sent.
    public var outgoingByteCount: Int { outgoing.byteCount }

    /// All that waits to be sent; it stays in place until the next call.
    public func takeOutgoing() -> UnsafeRawBufferPointer { unsafe outgoing.take() }

    /// Nothing is in flight: give memory back that an idle connection does not need.
    public func releaseMemory() {
        outgoing.release()
        if incoming.isEmpty { incoming = [] }
    }
}

// MARK: Bytes of the wire

extension ClientChannel {
    /// Take what arrived; TLS's first call is with nothing.
    /// - Parameters:
    ///   - wire: it may be overwritten.
    ///   - deliver: gets plain bytes of packets: whole packets from sealed channels, any part of the stream from TLS.
    public func receive(
        _ wire: UnsafeMutableRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(ChannelFailure) {
        if tls == nil {
            try unsafe receivePackets(wire, deliver)
        } else {
            try unsafe receiveRecords(UnsafeRawBufferPointer(wire), deliver)
        }
    }

    private func receiveRecords(
        _ wire: UnsafeRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(ChannelFailure) {
        var rest = unsafe wire
        while true {
            let room = unsafe outgoing.room(TLSSession.recordRoomByteCount)
            guard let step = unsafe tls?.receive(rest, plaintext: shared.opened, records: room) else { return }
            outgoing.commit(step.recordByteCount)
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[step.wireByteCount...])
            if !isReady { noteTLS() }
            if step.plaintextByteCount > 0 {
                unsafe deliver(UnsafeRawBufferPointer(rebasing: shared.opened[..<step.plaintextByteCount]))
            }
            switch step.state {
            case .wantsRecordRoom, .wantsPlaintextRoom: continue
            case .handshaking, .open, .wantsWire: return
            case .closedByPeer:
                isClosedByPeer = true
                return
            case .failed(let failure): throw .tls(failure)
            }
        }
    }

    private func receivePackets(
        _ wire: UnsafeMutableRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(ChannelFailure) {
        guard !incoming.isEmpty else {
            let consumed = try unsafe takePackets(wire, deliver)
            unsafe incoming.append(contentsOf: wire[consumed...])
            return
        }
        unsafe incoming.append(contentsOf: wire)
        guard incoming.count >= byteCountNeeded else { return }
        var gathered: [UInt8] = []
        swap(&gathered, &incoming)
        let taken = unsafe gathered.withUnsafeMutableBytes { bytes in unsafe tryPackets(bytes, deliver) }
        incoming = Array(gathered[try taken.get()...])
    }

    private func tryPackets(
        _ bytes: UnsafeMutableRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) -> Result<Int, ChannelFailure> {
        do throws(ChannelFailure) {
            return .success(try unsafe takePackets(bytes, deliver))
        } catch {
            return .failure(error)
        }
    }

    /// Until there are keys nothing longer than a handshake message is gathered.
    private var decoder: PacketDecoder {
        isReady ? PacketDecoder() : PacketDecoder(payloadByteCountMax: HandshakeFormat.payloadByteCountMax)
    }

    /// Returns how many bytes are done with.
    private func takePackets(
        _ bytes: UnsafeMutableRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(ChannelFailure) -> Int {
        let span = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(bytes))
        var offset = 0
        while true {
            switch decoder.step(span, at: offset) {
            case .incomplete(let byteCountNeeded):
                self.byteCountNeeded = byteCountNeeded
                return offset
            case .violation(let violation): throw .packet(violation)
            case .packet(let payload):
                try unsafe take(UnsafeMutableRawBufferPointer(rebasing: bytes[offset..<payload.upperBound]), deliver)
                offset = payload.upperBound
            }
        }
    }

    private func take(
        _ packet: UnsafeMutableRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(ChannelFailure) {
        if isReady { return try unsafe open(packet, deliver) }
        let payload = unsafe RawSpan(_unsafeBytes: UnsafeRawBufferPointer(packet))
            .extracting(droppingFirst: PacketFormat.headerByteCount)
        try establish(with: payload)
    }
}

// MARK: NPRO

extension ClientChannel {
    private func establish(with payload: RawSpan) throws(ChannelFailure) {
        do throws(HandshakeRefusal) {
            guard let session = try handshake?.receive(payload) else { return }
            agreement = ChannelAgreement(
                isAuthenticated: session.isAuthenticated, peerIdentity: session.peerIdentity,
                compression: session.compression)
            appendPacket(session.confirm)
            sealed = .some(session.channel)
            handshake = nil
        } catch {
            throw .handshake(error)
        }
    }

    private func appendPacket(_ payload: [UInt8]) {
        let byteCount = PacketFormat.headerByteCount + payload.count
        let room = unsafe outgoing.room(byteCount)
        unsafe ClientChannel.writeHeader(payloadByteCount: payload.count, at: room)
        unsafe UnsafeMutableRawBufferPointer(rebasing: room[PacketFormat.headerByteCount...]).copyBytes(from: payload)
        outgoing.commit(byteCount)
    }

    private static func writeHeader(payloadByteCount: Int, at room: UnsafeMutableRawBufferPointer) {
        var output = unsafe OutputRawSpan(
            buffer: UnsafeMutableRawBufferPointer(rebasing: room[..<PacketFormat.headerByteCount]),
            initializedCount: 0)
        PacketEncoder.writeHeader(payloadByteCount: payloadByteCount, into: &output)
    }

    /// A sealed packet becomes a plain one in its own place: the header goes right before the plaintext.
    private func open(
        _ packet: UnsafeMutableRawBufferPointer, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) throws(ChannelFailure) {
        let payload = unsafe UnsafeMutableRawBufferPointer(rebasing: packet[PacketFormat.headerByteCount...])
        let opened: Range<Int>
        do throws(SealedViolation) {
            opened = try unsafe openSealed(payload)
        } catch {
            throw .sealed(error)
        }
        guard let algorithm = agreement?.compression else {
            return unsafe deliverPlain(payload, opened, deliver)
        }
        guard let code = unsafe payload[opened].first else { throw .packing }
        let content = opened.lowerBound + 1..<opened.upperBound
        if code == 0 { return unsafe deliverPlain(payload, content, deliver) }
        guard code == algorithm, let packing = shared.packing,
            let unpacked = unsafe packing.unpack(
                RawSpan(_unsafeBytes: UnsafeRawBufferPointer(rebasing: payload[content])), algorithm)
        else { throw .packing }
        let plain = [UInt8](repeating: 0, count: PacketFormat.headerByteCount) + unpacked
        unsafe deliverCopy(plain, deliver)
    }

    private func openSealed(_ payload: UnsafeMutableRawBufferPointer) throws(SealedViolation) -> Range<Int> {
        guard let opened = try unsafe sealed?.open(payload, with: &shared.aead) else { throw .truncated }
        return opened
    }

    private func deliverPlain(
        _ payload: UnsafeMutableRawBufferPointer, _ content: Range<Int>, _ deliver: (UnsafeRawBufferPointer) -> Void
    ) {
        // The nonce before it is 24 bytes long, the header 9.
        let packet = content.lowerBound - PacketFormat.headerByteCount..<content.upperBound
        let plain = unsafe UnsafeMutableRawBufferPointer(rebasing: payload[packet])
        unsafe ClientChannel.writeHeader(payloadByteCount: content.count, at: plain)
        unsafe deliver(UnsafeRawBufferPointer(plain))
    }

    private func deliverCopy(_ packet: [UInt8], _ deliver: (UnsafeRawBufferPointer) -> Void) {
        var packet = packet
        unsafe packet.withUnsafeMutableBytes { bytes in
            unsafe ClientChannel.writeHeader(payloadByteCount: bytes.count - PacketFormat.headerByteCount, at: bytes)
            unsafe deliver(UnsafeRawBufferPointer(bytes))
        }
    }
}

// MARK: Sending

extension ClientChannel {
    /// Seal plain packets, whole ones, and gather them. Only when `isReady`.
    public func send(_ packets: UnsafeRawBufferPointer) throws(ChannelFailure) {
        precondition(isReady, "no keys are agreed on yet")
        if tls == nil { unsafe sendSealed(packets) } else { try unsafe sendRecords(packets) }
    }

    /// The same for packets in an array.
    public func send(_ packets: [UInt8]) throws(ChannelFailure) {
        let sent = unsafe packets.withUnsafeBytes { bytes -> Result<Void, ChannelFailure> in
            do throws(ChannelFailure) {
                return .success(try unsafe send(bytes))
            } catch {
                return .failure(error)
            }
        }
        try sent.get()
    }

    /// TLS says that nothing follows.
    public func finish() {
        let room = unsafe outgoing.room(TLSSession.recordRoomByteCount)
        outgoing.commit(unsafe tls?.close(records: room).recordByteCount ?? 0)
    }

    /// What the next connection to this server can go on from; ask late, when the connection ends.
    public func resumption() -> TLSResumption? { tls?.resumption() }

    private func sendRecords(_ packets: UnsafeRawBufferPointer) throws(ChannelFailure) {
        var rest = unsafe packets
        while rest.count > 0 {
            let count = min(rest.count, 64 << 10)
            let room = unsafe outgoing.room(count + 8 * TLSSession.recordRoomByteCountMin)
            let part = unsafe UnsafeRawBufferPointer(rebasing: rest[..<count])
            guard let step = unsafe tls?.send(part, records: room) else { return }
            outgoing.commit(step.recordByteCount)
            unsafe rest = UnsafeRawBufferPointer(rebasing: rest[step.plaintextByteCount...])
            if case .failed(let failure) = step.state { throw .tls(failure) }
            guard step.plaintextByteCount > 0 else { throw .tls(.protocolViolation(0)) }
        }
    }

    private func sendSealed(_ packets: UnsafeRawBufferPointer) {
        let span = unsafe RawSpan(_unsafeBytes: packets)
        var offset = 0
        while offset < packets.count {
            guard case .packet(let payload) = PacketDecoder().step(span, at: offset) else {
                preconditionFailure("packets are sealed whole")
            }
            seal(span.extracting(payload))
            offset = payload.upperBound
        }
    }

    private func seal(_ payload: RawSpan) {
        guard let algorithm = agreement?.compression else { return seal(payload, code: nil) }
        if let packed = shared.packing?.pack(payload, algorithm) {
            unsafe seal(packed.span.bytes, code: algorithm)
        } else {
            seal(payload, code: 0)
        }
    }

    /// - Parameter code: how the content is packed; nil: nothing says so on this connection.
    private func seal(_ content: RawSpan, code: UInt8?) {
        let plaintextByteCount = content.byteCount + (code == nil ? 0 : 1)
        let payloadByteCount = plaintextByteCount + SealedChannel.overhead
        let room = unsafe outgoing.room(PacketFormat.headerByteCount + payloadByteCount)
        unsafe ClientChannel.writeHeader(payloadByteCount: payloadByteCount, at: room)
        // The room is not empty, so it has a base address.
        let target = unsafe room.baseAddress.unsafelyUnwrapped + PacketFormat.headerByteCount
        if let code {
            let plaintext = unsafe UnsafeMutableRawBufferPointer(
                start: target + SealedChannel.nonceByteCount, count: plaintextByteCount)
            unsafe plaintext[0] = code
            unsafe content.withUnsafeBytes { source in
                unsafe UnsafeMutableRawBufferPointer(rebasing: plaintext[1...]).copyMemory(from: source)
            }
            unsafe sealed?.seal(
                RawSpan(_unsafeBytes: UnsafeRawBufferPointer(plaintext)), into: target, with: &shared.aead)
        } else {
            unsafe sealed?.seal(content, into: target, with: &shared.aead)
        }
        outgoing.commit(PacketFormat.headerByteCount + payloadByteCount)
    }
}

// MARK: TLS

extension ClientChannel {
    private func noteTLS() {
        guard tls?.isHandshakeComplete == true else { return }
        agreement = ChannelAgreement(
            isAuthenticated: true, isResumed: tls?.isResumed ?? false, tlsVersion: tls?.version,
            applicationProtocol: tls?.applicationProtocol)
    }
}
