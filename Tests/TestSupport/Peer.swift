// The other end of a server under test: one blocking socket whose every wait ends. It does what a test tells it,
// however rude it is, and shares no code with the server's sessions.

import ApusReactor
import ApusWire
import Glibc
import Synchronization

package enum PeerError: Error, Equatable {
    case cannotConnect(errno: Int32)
    case cannotSend(errno: Int32)
    /// The server sent a reset.
    case reset
    /// The server finished in the middle of what was to be read.
    case truncated
    /// Nothing came for as long as a test waits.
    case timedOut
    case failed(errno: Int32)
}

package final class Peer: Sendable {
    private let descriptor: Descriptor
    private let isClosed = Atomic(false)

    /// - Parameter receiveBufferByteCount: small, the server soon finds that this peer does not read.
    package init(to text: String, receiveBufferByteCount: Int? = nil) throws {
        let address = try SocketAddress(parsing: text)
        descriptor = try openStream(for: address)
        if let receiveBufferByteCount { try setReceiveBuffer(byteCount: receiveBufferByteCount, on: descriptor) }
        setTimeout(SO_RCVTIMEO)
        setTimeout(SO_SNDTIMEO)
        let result = withUnsafePointer(to: address) { pointer in
            let bytes = SocketAddress.bytes(of: pointer)
            return bytes.withMemoryRebound(to: sockaddr.self) {
                connect(descriptor.number, $0.baseAddress, socklen_t(bytes.count))
            }
        }
        let connectErrno = errno
        guard result == 0 else {
            close()
            throw PeerError.cannotConnect(errno: connectErrno)
        }
    }

    deinit { close() }

    private func setTimeout(_ option: Int32) {
        var timeout = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(descriptor.number, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    /// This end's address, as the server sees it.
    package var localAddress: String { ApusReactor.localAddress(of: descriptor)?.description ?? "" }
}

// MARK: Sending

extension Peer {
    package func send(_ messages: Message...) throws { try send(messages) }

    package func send(_ messages: [Message]) throws { try send(bytes: messages.flatMap(PacketEncoder.encode)) }

    package func send(bytes: [UInt8]) throws(PeerError) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor.number, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw PeerError.cannotSend(errno: errno) }
            sent += count
        }
    }

    /// Send what fits until the other end has taken nothing for a while; returns how many bytes were taken.
    package func sendUntilStalled(_ bytes: [UInt8]) throws -> Int {
        let stallMilliseconds: Int32 = 300
        var sent = 0
        while sent < bytes.count {
            var interest = pollfd(fd: descriptor.number, events: Int16(POLLOUT), revents: 0)
            guard poll(&interest, 1, stallMilliseconds) > 0 else { break }
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor.number, $0.baseAddress, $0.count, flags)
            }
            guard count > 0 else { throw PeerError.cannotSend(errno: errno) }
            sent += count
        }
        return sent
    }

    /// Send no more; go on reading.
    package func finishSending() { shutdown(descriptor.number, Int32(SHUT_WR)) }
}

// MARK: Receiving

extension Peer {
    /// The next message; nil when the server has finished.
    package func read() throws -> Message? {
        guard let packet = try readPacket() else { return nil }
        let payload = Array(packet.dropFirst(PacketFormat.headerByteCount))
        return try Message(decoding: payload.span.bytes)
    }

    package func read(_ count: Int) throws -> [Message] {
        try (0..<count).map { _ in
            guard let message = try read() else { throw PeerError.truncated }
            return message
        }
    }

    /// Send one message and read the next.
    package func request(_ message: Message) throws -> Message? {
        try send(message)
        return try read()
    }

    /// The next packet with its header; nil when the server has finished.
    package func readPacket() throws -> [UInt8]? {
        guard let header = try readBytes(PacketFormat.headerByteCount, orNone: true) else { return nil }
        let payloadByteCount = header[5...].reduce(0) { $0 << 8 | Int($1) }
        guard let payload = try readBytes(payloadByteCount, orNone: false) else { return header }
        return header + payload
    }

    /// What is there, or comes next; empty when the server has finished.
    package func readSome(_ countMax: Int = 64 << 10) throws -> [UInt8] {
        let descriptor = descriptor.number
        return try [UInt8](unsafeUninitializedCapacity: countMax) { buffer, count in
            let got = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            if got < 0 { throw Peer.error(for: errno) }
            count = got
        }
    }

    /// Exactly so many bytes; nil when the server has finished before the first.
    package func readExactly(_ count: Int) throws -> [UInt8]? { try readBytes(count, orNone: true) }

    /// Whether there is something to read, the end included, within so many milliseconds.
    package func hasBytes(within milliseconds: Int32) -> Bool {
        var interest = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        return poll(&interest, 1, milliseconds) > 0
    }

    /// Messages until the server finishes.
    package func readToEnd() throws -> [Message] {
        var messages: [Message] = []
        while let message = try read() { messages.append(message) }
        return messages
    }

    /// - Parameter orNone: the server may have finished before the first of them; then nil.
    private func readBytes(_ count: Int, orNone: Bool) throws -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes[filled...].withUnsafeMutableBytes { recv(descriptor.number, $0.baseAddress, $0.count, 0) }
            if got == 0, filled == 0, orNone { return nil }
            if got == 0 { throw PeerError.truncated }
            if got < 0 { throw Peer.error(for: errno) }
            filled += got
        }
        return bytes
    }

    private static func error(for errno: Int32) -> PeerError {
        switch errno {
        case EAGAIN: .timedOut
        case ECONNRESET: .reset
        default: .failed(errno: errno)
        }
    }
}

// MARK: Leaving

extension Peer {
    package func close() {
        if !isClosed.exchange(true, ordering: .relaxed) { closeDescriptor(descriptor) }
    }

    /// Leave as a crashed machine's router would have it: with a reset.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor.number, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        close()
    }
}
