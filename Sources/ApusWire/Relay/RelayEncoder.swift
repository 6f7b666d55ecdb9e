// Writes the messages of both sides (relay.md §1.3). Whoever calls it has made room, and frames what was written.

public enum RelayEncoder {
    /// The version and the type.
    @_lifetime(output: copy output)
    @inlinable
    public static func writeHeader(_ type: RelayMessageType, into output: inout OutputRawSpan) {
        output.append(RelayFormat.version)
        output.append(type.rawValue)
    }

    /// What stands in front of a datagram: 38 bytes.
    ///
    /// - Parameter peer: the source when the relay sends it, the target when a client does.
    @_lifetime(output: copy output)
    @inlinable
    public static func writeTransportHeader(_ peer: PeerID, into output: inout OutputRawSpan) {
        writeHeader(.transport, into: &output)
        peer.write(into: &output)
    }

    /// Two bytes.
    @_lifetime(output: copy output)
    public static func writeClose(into output: inout OutputRawSpan) { writeHeader(.close, into: &output) }

    /// Two bytes.
    @_lifetime(output: copy output)
    public static func writeHealthCheck(into output: inout OutputRawSpan) { writeHeader(.healthCheck, into: &output) }

    /// 42 bytes and the token.
    ///
    /// - Parameter token: 0 to 170 bytes; empty only where the relay believes everybody.
    @_lifetime(output: copy output)
    public static func writeAuth(_ peer: PeerID, token: RawSpan, into output: inout OutputRawSpan) {
        precondition(token.byteCount <= RelayFormat.tokenByteCountMax, "a token has 170 bytes at most")
        writeHeader(.auth, into: &output)
        output.append(bigEndian: RelayFormat.magic)
        peer.write(into: &output)
        output.append(copying: token)
    }

    /// Two bytes and the URL.
    ///
    /// - Parameter url: 1 to 8,190 bytes of UTF-8.
    @_lifetime(output: copy output)
    public static func writeAuthResponse(url: RawSpan, into output: inout OutputRawSpan) {
        precondition(1...RelayFormat.urlByteCountMax ~= url.byteCount, "a URL has 1 … 8,190 bytes")
        writeHeader(.authResponse, into: &output)
        output.append(copying: url)
    }

    /// The whole list message.
    ///
    /// - Parameters:
    ///   - type: one of the four that carry ids.
    ///   - peers: 1 to 244 of them. An empty list is never sent.
    @_lifetime(output: copy output)
    public static func writeList(_ type: RelayMessageType, _ peers: Span<PeerID>, into output: inout OutputRawSpan) {
        writeListHeader(type, count: peers.count, into: &output)
        for index in peers.indices { peers[index].write(into: &output) }
    }

    /// What stands in front of so many ids, for whoever writes them one by one.
    ///
    /// - Parameters:
    ///   - type: one of the four that carry ids.
    ///   - count: 1 to 244.
    @_lifetime(output: copy output)
    public static func writeListHeader(_ type: RelayMessageType, count: Int, into output: inout OutputRawSpan) {
        precondition(type.carriesPeers, "this message carries no ids")
        precondition(1...RelayFormat.listCountMax ~= count, "a list has 1 … 244 ids")
        writeHeader(type, into: &output)
    }

    /// Of a list message of so many ids, up to 8,786.
    @inlinable
    public static func listByteCount(_ count: Int) -> Int { RelayFormat.headerByteCount + count * PeerID.byteCount }
}

extension RelayMessageType {
    var carriesPeers: Bool {
        switch self {
        case .subscribePeerState, .unsubscribePeerState, .peersOnline, .peersWentOffline: true
        case .hello, .helloResponse, .transport, .close, .healthCheck, .auth, .authResponse: false
        }
    }
}
