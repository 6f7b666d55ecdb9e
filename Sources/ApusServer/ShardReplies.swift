// From a payload to the bytes that leave: with a header, sealed where the connection is, gathered where its protection
// wants them. Everything a connection is sent goes through here.

import ApusCompression
import ApusReactor
import ApusSecurity
import ApusWire

extension ShardState {
    /// Append one packet with this payload. False: no buffer is left.
    @inline(__always)
    mutating func append(payload: RawSpan, to connection: UnsafeMutablePointer<Connection>) -> Bool {
        if case .sealed(let sealed) = connection.pointee.protection { return appendSealed(payload, sealed, connection) }
        return append(payloadByteCount: payload.byteCount, to: connection) { $0.append(copying: payload) }
    }

    /// Append one packet, whose payload `body` writes: exactly so many bytes. False: no buffer is left.
    @inline(__always)
    mutating func append(
        payloadByteCount: Int, to connection: UnsafeMutablePointer<Connection>, _ body: (inout OutputRawSpan) -> Void
    ) -> Bool {
        append(payloadByteCountMax: payloadByteCount, to: connection) { output in
            body(&output)
            assert(output.byteCount == payloadByteCount)
        }
    }

    /// Append one packet, whose payload `body` writes: at most so many bytes. False: no buffer is left.
    @inline(__always)
    mutating func append(
        payloadByteCountMax: Int, to connection: UnsafeMutablePointer<Connection>, _ body: (inout OutputRawSpan) -> Void
    ) -> Bool {
        if case .sealed(let sealed) = connection.pointee.protection {
            return appendSealed(payloadByteCountMax, sealed, connection, body)
        }
        let byteCountMax = PacketFormat.headerByteCount + payloadByteCountMax
        guard let start = reserve(byteCountMax, for: connection) else { return false }
        let byteCount = write(at: start + PacketFormat.headerByteCount, payloadByteCountMax, body)
        writeHeader(at: start, payloadByteCount: byteCount)
        commit(PacketFormat.headerByteCount + byteCount, to: connection)
        return true
    }

    /// Append bytes that `body` writes, exactly so many, to a connection that is not sealed. False: no buffer is left.
    @inline(__always)
    mutating func append(
        byteCount: Int, to connection: UnsafeMutablePointer<Connection>, _ body: (inout OutputRawSpan) -> Void
    ) -> Bool {
        append(byteCountMax: byteCount, to: connection) { output in
            body(&output)
            assert(output.byteCount == byteCount)
        }
    }

    /// The same, at most so many.
    @inline(__always)
    mutating func append(
        byteCountMax: Int, to connection: UnsafeMutablePointer<Connection>, _ body: (inout OutputRawSpan) -> Void
    ) -> Bool {
        guard let start = reserve(byteCountMax, for: connection) else { return false }
        commit(write(at: start, byteCountMax, body), to: connection)
        return true
    }

    /// Append bytes that are plain packets already, to a connection that is not sealed. False: no buffer is left.
    @inline(__always)
    mutating func append(packets: RawSpan, to connection: UnsafeMutablePointer<Connection>) -> Bool {
        guard let start = reserve(packets.byteCount, for: connection) else { return false }
        packets.withUnsafeBytes { bytes in
            if let source = bytes.baseAddress { start.copyMemory(from: source, byteCount: bytes.count) }
        }
        commit(packets.byteCount, to: connection)
        return true
    }

    /// Append a packet that was encoded elsewhere, header first. False: no buffer is left.
    mutating func append(packet: RawSpan, to connection: UnsafeMutablePointer<Connection>) -> Bool {
        append(payload: packet.extracting(droppingFirst: PacketFormat.headerByteCount), to: connection)
    }

    /// Append a message that is only its kind. False: no buffer is left.
    mutating func appendBare(_ kind: MessageKind, to connection: UnsafeMutablePointer<Connection>) -> Bool {
        append(payloadByteCount: MemoryLayout<UInt32>.size, to: connection) {
            MessageEncoder.encodeBare(kind, into: &$0)
        }
    }
}

// MARK: Room

extension ShardState {
    /// Where replies gather: in what is sent next, or with TLS in what is sealed at the end of the turn.
    @inline(__always)
    private mutating func reserve(
        _ byteCount: Int, for connection: UnsafeMutablePointer<Connection>
    ) -> UnsafeMutableRawPointer? {
        if case .tls(let tls) = connection.pointee.protection {
            return tls.pointee.plaintext.reserve(byteCount, from: &pool)
        }
        return connection.pointee.outbound.reserve(byteCount, from: &pool)
    }

    @inline(__always)
    private func commit(_ byteCount: Int, to connection: UnsafeMutablePointer<Connection>) {
        if case .tls(let tls) = connection.pointee.protection {
            tls.pointee.plaintext.commit(byteCount)
            connection.pointee.unsealedByteCount += byteCount
        } else {
            connection.pointee.outbound.commit(byteCount)
        }
    }

    @inline(__always)
    private func write(
        at start: UnsafeMutableRawPointer, _ byteCountMax: Int, _ body: (inout OutputRawSpan) -> Void
    ) -> Int {
        var output = OutputRawSpan(
            buffer: UnsafeMutableRawBufferPointer(start: start, count: byteCountMax), initializedCount: 0)
        body(&output)
        let byteCount = output.byteCount
        _ = consume output
        return byteCount
    }

    @inline(__always)
    private func writeHeader(at start: UnsafeMutableRawPointer, payloadByteCount: Int) {
        _ = write(at: start, PacketFormat.headerByteCount) {
            PacketEncoder.writeHeader(payloadByteCount: payloadByteCount, into: &$0)
        }
    }
}

// MARK: Sealing

extension ShardState {
    /// From where the payload lies to where it leaves from: sealing is the copy.
    @inline(never)
    private mutating func appendSealed(
        _ payload: RawSpan, _ sealed: UnsafeMutablePointer<SealedConnection>,
        _ connection: UnsafeMutablePointer<Connection>
    ) -> Bool {
        guard sealed.pointee.compression == nil else {
            return appendSealed(payload.byteCount, sealed, connection) { $0.append(copying: payload) }
        }
        let payloadByteCount = payload.byteCount + SealedChannel.overhead
        let byteCount = PacketFormat.headerByteCount + payloadByteCount
        guard let start = connection.pointee.outbound.reserve(byteCount, from: &pool) else { return false }
        writeHeader(at: start, payloadByteCount: payloadByteCount)
        sealed.pointee.channel.seal(payload, into: start + PacketFormat.headerByteCount, with: &aead)
        connection.pointee.outbound.commit(byteCount)
        return true
    }

    /// Written where it leaves from, packed if that helps, and sealed in place.
    private mutating func appendSealed(
        _ payloadByteCountMax: Int, _ sealed: UnsafeMutablePointer<SealedConnection>,
        _ connection: UnsafeMutablePointer<Connection>, _ body: (inout OutputRawSpan) -> Void
    ) -> Bool {
        let overhead = sealed.pointee.payloadOverhead
        let byteCountMax = PacketFormat.headerByteCount + payloadByteCountMax + overhead
        guard let start = connection.pointee.outbound.reserve(byteCountMax, from: &pool) else { return false }
        let target = start + PacketFormat.headerByteCount
        let content = target + sealed.pointee.payloadOffset
        var byteCount = write(at: content, payloadByteCountMax, body)
        if let algorithm = sealed.pointee.compression {
            let packing = pack(content, byteCount, with: algorithm, listener: connection.pointee.listener)
            byteCount = packing.byteCount
            (content - 1).storeBytes(of: packing.code, as: UInt8.self)
        }
        let plaintext = UnsafeRawBufferPointer(
            start: target + SealedChannel.nonceByteCount, count: byteCount + overhead - SealedChannel.overhead)
        sealed.pointee.channel.seal(RawSpan(_unsafeBytes: plaintext), into: target, with: &aead)
        writeHeader(at: start, payloadByteCount: byteCount + overhead)
        connection.pointee.outbound.commit(PacketFormat.headerByteCount + byteCount + overhead)
        return true
    }

    /// Pack a payload where it lies, if it gets smaller. Code 0: it is as it was.
    private mutating func pack(
        _ content: UnsafeMutableRawPointer, _ byteCount: Int, with algorithm: CompressionAlgorithm, listener: UInt8
    ) -> (byteCount: Int, code: UInt8) {
        let room = packed.buffer()
        let payload = RawSpan(_unsafeBytes: UnsafeRawBufferPointer(start: content, count: byteCount))
        guard let packedByteCount = guards[Int(listener)].packer.pack(payload, with: algorithm, into: room),
            let source = room.baseAddress
        else { return (byteCount, 0) }
        content.copyMemory(from: source, byteCount: packedByteCount)
        return (packedByteCount, algorithm.rawValue)
    }

    /// What a payload that may be packed holds; valid until the next one. Nil: it does not unpack within its limits, or
    /// is packed otherwise than agreed.
    mutating func unpack(
        _ payload: UnsafeRawBufferPointer, as algorithm: CompressionAlgorithm,
        for connection: UnsafeMutablePointer<Connection>
    ) -> UnsafeRawBufferPointer? {
        guard let code = payload.first else { return nil }
        let content = UnsafeRawBufferPointer(rebasing: payload.dropFirst())
        if code == 0 { return content }
        guard code == algorithm.rawValue else { return nil }
        let room = UnsafeMutableRawBufferPointer(
            rebasing: unpacked.buffer().prefix(connection.pointee.decoder.payloadByteCountMax))
        do throws(CompressionError) {
            let byteCount = try guards[Int(connection.pointee.listener)].packer.unpack(
                RawSpan(_unsafeBytes: content), with: algorithm, into: room)
            return UnsafeRawBufferPointer(rebasing: room[..<byteCount])
        } catch {
            return nil
        }
    }
}
