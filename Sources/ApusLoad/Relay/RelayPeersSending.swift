// How the peers' frames leave. What is lent to the kernel lies in the set's memory, or in a channel's, and stays there
// until the completion: `takenByteCount` moves only then.

import ApusReactor
import ApusSecurity
import ApusWire

extension RelayPeers {
    /// Write the datagrams that are owed, as many as there is room for; the rest follows when the kernel has taken
    /// these.
    mutating func gather(_ index: Int, _ book: inout RelayBook) {
        guard peers[index].state == .open else { return }
        let count = min(peers[index].owed, room(of: index, forDatagrams: true).count / frameByteCount)
        let datagram = datagram(of: index)
        for _ in 0..<count {
            let number = peers[index].written
            datagram.stamp(
                number: number, departure: schedule?.intended(number, on: peers[index].flow) ?? ring.now)
            append(.binary, datagram.bytes, index)
            peers[index].written = number + 1
        }
        peers[index].owed -= count
        book.write(count)
    }

    /// A whole frame, with a key of its own; the caller has seen that there is room.
    @inline(__always)
    private mutating func append(_ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, _ index: Int) {
        let key = keys.next()
        var output = OutputRawSpan(buffer: room(of: index, forDatagrams: false), initializedCount: 0)
        WebSocketEncoder.writeFrame(opcode, payload: payload.bytes, maskingKey: key, into: &output)
        peers[index].filledByteCount += output.byteCount
        _ = consume output
    }

    /// An answer. Who asks for so many that there is no room for them does not read, and is left.
    mutating func answer(_ opcode: WebSocketOpcode, _ payload: UnsafeRawBufferPointer, _ index: Int) {
        let header = WebSocketEncoder.headerByteCount(payloadByteCount: payload.count, isMasked: true)
        guard room(of: index, forDatagrams: false).count >= header + payload.count else { return fail(.flooded, index) }
        append(opcode, payload, index)
        touch(index)
    }

    /// Bytes that are no frame: the request.
    mutating func append(_ bytes: [UInt8], _ index: Int) {
        let room = room(of: index, forDatagrams: false)
        precondition(bytes.count <= room.count, "a host's name is shorter than that")
        room.copyBytes(from: bytes)
        peers[index].filledByteCount += bytes.count
        touch(index)
    }

    @inline(__always)
    mutating func sendNext(_ index: Int) {
        if let channel = open[index] { return sendSealed(channel, index) }
        let part = gathered(by: index)
        guard !part.isEmpty else { return }
        send(part, index)
    }

    @inline(__always)
    private mutating func send(_ bytes: UnsafeRawBufferPointer, _ index: Int) {
        ring.send(bytes, to: peers[index].socket, token: name(.send, index))
        peers[index].sending = true
    }

    /// What was gathered is sealed, behind what the channel itself has to say.
    private mutating func sendSealed(_ channel: ClientChannel, _ index: Int) {
        if peers[index].flight.isEmpty {
            do throws(ChannelFailure) {
                let part = gathered(by: index)
                if channel.isReady, !part.isEmpty { try channel.send(part) }
            } catch {
                return fail(.insecure(error.description), index)
            }
            if channel.isReady { (peers[index].takenByteCount, peers[index].filledByteCount) = (0, 0) }
            peers[index].flight = channel.takeOutgoing()
        }
        guard !peers[index].flight.isEmpty else { return }
        send(peers[index].flight, index)
    }

    @inline(__always)
    mutating func sent(_ completion: Completion) {
        let index = Int(completion.token.slot)
        peers[index].sending = false
        if completion.result >= 0 { take(Int(completion.result), index) } else { sendFailed(completion.result, index) }
        let isSpeaking = (open[index]?.outgoingByteCount ?? 0) > 0
        if peers[index].hasToSend || isSpeaking || peers[index].state == .closing { touch(index) }
    }

    @inline(__always)
    private mutating func take(_ byteCount: Int, _ index: Int) {
        guard open[index] == nil else {
            let rest = peers[index].flight.dropFirst(byteCount)
            return peers[index].flight = UnsafeRawBufferPointer(rebasing: rest)
        }
        peers[index].takenByteCount += byteCount
        if peers[index].takenByteCount == peers[index].filledByteCount {
            (peers[index].takenByteCount, peers[index].filledByteCount) = (0, 0)
        }
    }

    private mutating func sendFailed(_ result: Int32, _ index: Int) {
        switch SendError(result) {
        case .interrupted: break
        case .reset, .failed: lose(index)
        }
    }
}
