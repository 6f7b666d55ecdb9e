// What arrives at the peers: the answer to the upgrade, then frames, each with one message. The bytes are a lease's, a
// channel's or held ones; none is kept beyond the call that reads them, and offsets come from decoders that check them.

import ApusReactor
import ApusSecurity
import ApusWire

/// What stands at the beginning of the bytes that are there.
private enum RelayUnit {
    /// A head or a frame that ends there.
    case taken(end: Int)
    case incomplete(byteCountNeeded: Int)
    /// The peer has been left.
    case left
}

extension RelayPeers {
    private static let decoder = WebSocketDecoder(
        role: .client, payloadByteCountMax: RelayFormat.messageByteCountMax)

    @inline(__always)
    mutating func receive(_ index: Int) {
        ring.receive(from: peers[index].socket, token: name(.receive, index))
        peers[index].receiving = true
    }

    @inline(__always)
    mutating func received(_ completion: Completion, _ book: inout RelayBook) -> RelayArrival? {
        let index = Int(completion.token.slot)
        if !completion.hasMore {
            peers[index].receiving = false
            touch(index)
        }
        guard let lease = completion.lease else {
            receivedNothing(completion.result, index)
            return nil
        }
        var arrival = RelayArrival(peer: index)
        let bytes = UnsafeMutableRawBufferPointer(start: lease.start, count: Int(lease.byteCount))
        if let channel = open[index] {
            readSealed(bytes, channel, &arrival, &book)
        } else {
            read(UnsafeRawBufferPointer(bytes), &arrival, &book)
        }
        ring.recycle(lease)
        return arrival.isEmpty ? nil : arrival
    }

    private mutating func receivedNothing(_ result: Int32, _ index: Int) {
        switch ReceiveError(result) {
        case .starved, .interrupted: break
        case .finished, .reset, .failed: lose(index)
        }
    }

    /// The channel's plain bytes are copied out of it first, for it lends them only while it is being read from.
    private mutating func readSealed(
        _ wire: UnsafeMutableRawBufferPointer, _ channel: ClientChannel, _ arrival: inout RelayArrival,
        _ book: inout RelayBook
    ) {
        let (index, opened) = (arrival.peer, opened)
        var openedByteCount = 0
        do throws(ChannelFailure) {
            try channel.receive(wire) { plain in
                precondition(plain.count <= opened.count - openedByteCount, "a channel gives more than it was given")
                UnsafeMutableRawBufferPointer(rebasing: opened[openedByteCount...]).copyMemory(from: plain)
                openedByteCount += plain.count
            }
        } catch {
            return fail(.insecure(error.description), index)
        }
        if channel.isReady, peers[index].state == .securing { upgrade(index) }
        // Whatever it wants said.
        if channel.outgoingByteCount > 0 { touch(index) }
        read(UnsafeRawBufferPointer(rebasing: opened[..<openedByteCount]), &arrival, &book)
        if channel.isClosedByPeer { lose(index) }
    }

    /// Take whole heads and frames; the beginning of another is kept for later.
    private mutating func read(
        _ bytes: UnsafeRawBufferPointer, _ arrival: inout RelayArrival, _ book: inout RelayBook
    ) {
        var offset = finishHeld(with: bytes, &arrival, &book)
        while offset < bytes.count {
            switch readUnit(bytes, at: offset, &arrival, &book) {
            case .taken(let end): offset = end
            case .incomplete(let byteCountNeeded):
                return hold(UnsafeRawBufferPointer(rebasing: bytes[offset...]), byteCountNeeded, arrival.peer)
            case .left: return
            }
        }
    }

    private mutating func hold(_ bytes: UnsafeRawBufferPointer, _ byteCountNeeded: Int, _ index: Int) {
        let memory = heldMemory(of: index)
        guard byteCountNeeded <= memory.count else { return fail(.notHTTP, index) }
        memory.copyMemory(from: bytes)
        peers[index].heldByteCount = bytes.count
    }

    /// Add to what is held as much as it needs; returns how many bytes that took.
    private mutating func finishHeld(
        with bytes: UnsafeRawBufferPointer, _ arrival: inout RelayArrival, _ book: inout RelayBook
    ) -> Int {
        let (index, memory) = (arrival.peer, heldMemory(of: arrival.peer))
        var offset = 0
        while peers[index].heldByteCount > 0 {
            let heldByteCount = peers[index].heldByteCount
            let there = UnsafeRawBufferPointer(rebasing: memory[..<heldByteCount])
            switch readUnit(there, at: 0, &arrival, &book) {
            case .taken: peers[index].heldByteCount = 0
            case .incomplete(let byteCountNeeded):
                let part = min(byteCountNeeded - heldByteCount, bytes.count - offset)
                guard byteCountNeeded <= memory.count else {
                    fail(.notHTTP, index)
                    return bytes.count
                }
                guard part > 0 else { return bytes.count }
                UnsafeMutableRawBufferPointer(rebasing: memory[heldByteCount...])
                    .copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + part]))
                peers[index].heldByteCount = heldByteCount + part
                offset += part
            case .left: return bytes.count
            }
        }
        return offset
    }

    @inline(__always)
    private mutating func readUnit(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, _ arrival: inout RelayArrival, _ book: inout RelayBook
    ) -> RelayUnit {
        let index = arrival.peer
        switch peers[index].state {
        case .open, .authenticating: break
        case .upgrading: return readResponse(bytes, at: offset, index)
        case .unopened, .connecting, .securing, .closing, .closed: return .left
        }
        switch RelayPeers.decoder.step(bytes.bytes, at: offset) {
        case .incomplete(let byteCountNeeded): return .incomplete(byteCountNeeded: byteCountNeeded)
        case .violation(let violation):
            fail(.frame(violation), index)
            return .left
        case .frame(let frame):
            let payload = UnsafeRawBufferPointer(rebasing: bytes[frame.payload])
            if frame.opcode == .binary, frame.isFinal, peers[index].state == .open {
                readMessage(payload, &arrival, &book)
            } else {
                readOther(frame, payload, &arrival)
            }
            return .taken(end: frame.end)
        }
    }
}

// MARK: Messages

extension RelayPeers {
    @inline(__always)
    private mutating func readMessage(
        _ message: UnsafeRawBufferPointer, _ arrival: inout RelayArrival, _ book: inout RelayBook
    ) {
        let partner = peers[arrival.peer].partner
        guard case .transport(let source, _) = RelayServerMessage(decoding: message.bytes) else {
            return readControl(message, arrival.peer)
        }
        guard source == peers[partner].id, datagram(of: partner).matches(message) else {
            return errors.mismatched += 1
        }
        accept(message, from: partner, &arrival, &book)
    }

    /// A datagram of the partner's, whole: is it the next?
    @inline(__always)
    private mutating func accept(
        _ message: UnsafeRawBufferPointer, from partner: Int, _ arrival: inout RelayArrival, _ book: inout RelayBook
    ) {
        let (number, expected) = (RelayDatagram.number(in: message), peers[arrival.peer].expected)
        guard number < UInt64(peers[partner].written) else { return errors.mismatched += 1 }
        guard number >= UInt64(expected) else { return book.noteLate() }
        let overtaken = Int(number) - expected
        if overtaken > 0 {
            arrival.lost += overtaken
            book.lose(overtaken)
        }
        peers[arrival.peer].expected = Int(number) + 1
        arrival.delivered += 1
        book.deliver(RelayDatagram.departure(in: message), at: now)
    }

    @inline(never)
    private mutating func readControl(_ message: UnsafeRawBufferPointer, _ index: Int) {
        switch RelayServerMessage(decoding: message.bytes) {
        case .healthCheck: answer(.binary, message, index)
        case .close: lose(index)
        // Nobody subscribed, and clients ignore all the rest (relay.md §1.3.8).
        case .transport, .peersOnline, .peersWentOffline, .ignored, .violation: errors.mismatched += 1
        }
    }

    @inline(never)
    private mutating func readOther(
        _ frame: WebSocketFrame, _ payload: UnsafeRawBufferPointer, _ arrival: inout RelayArrival
    ) {
        let index = arrival.peer
        switch frame.opcode {
        case .ping: answer(.pong, payload, index)
        case .pong: break
        case .close: readClose(payload, index)
        case .binary where frame.isFinal: readAuthResponse(payload, &arrival)
        case .binary, .text, .continuation: fail(.unexpectedFrame, index)
        }
    }

    private mutating func readClose(_ payload: UnsafeRawBufferPointer, _ index: Int) {
        do throws(WebSocketViolation) {
            let closure = try WebSocketClosure(payload: payload.bytes)
            let reason = String(decoding: payload[closure.reason], as: UTF8.self)
            failure = .closed(code: closure.code?.rawValue, reason: reason)
            lose(index)
        } catch {
            fail(.frame(error), index)
        }
    }
}

// MARK: Being let in

extension RelayPeers {
    private mutating func readResponse(
        _ bytes: UnsafeRawBufferPointer, at offset: Int, _ index: Int
    ) -> RelayUnit {
        switch HTTPResponseDecoder().step(bytes.bytes, at: offset) {
        case .incomplete(let byteCountNeeded): return .incomplete(byteCountNeeded: byteCountNeeded)
        case .violation: fail(.notHTTP, index)
        case .response(let response):
            do throws(WebSocketUpgradeFailure) {
                try WebSocketRequest.judge(response, in: bytes.bytes, accept: peers[index].accept)
                authenticate(index)
                return .taken(end: response.end)
            } catch {
                fail(.upgrade(error), index)
            }
        }
        return .left
    }

    private mutating func authenticate(_ index: Int) {
        peers[index].state = .authenticating
        let message = [UInt8](capacity: RelayFormat.authHeaderByteCount + token.count) { output in
            RelayEncoder.writeAuth(peers[index].id, token: token.span.bytes, into: &output)
        }
        message.withUnsafeBytes { answer(.binary, $0, index) }
    }

    private mutating func readAuthResponse(_ message: UnsafeRawBufferPointer, _ arrival: inout RelayArrival) {
        do throws(RelayAuthResponse.Violation) {
            let response = try RelayAuthResponse(decoding: message.bytes)
            let found = String(decoding: message[response.url], as: UTF8.self)
            if let expected = access.exposedAddress, found != expected {
                return fail(.exposedAddress(found, expected: expected), arrival.peer)
            }
            enter(arrival.peer)
            arrival.isLogin = true
        } catch {
            fail(.authResponse, arrival.peer)
        }
    }
}

extension [UInt8] {
    /// What `write` writes.
    fileprivate init(capacity: Int, _ write: (inout OutputRawSpan) -> Void) {
        self.init(unsafeUninitializedCapacity: capacity) { buffer, count in
            let memory = UnsafeMutableRawBufferPointer(buffer)
            var output = OutputRawSpan(buffer: memory, initializedCount: 0)
            write(&output)
            count = output.finalize(for: memory)
        }
    }
}
