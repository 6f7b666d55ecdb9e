// A server for tests that does what its script says: one connection, blocking reads and writes on a thread of its own.

import ApusWire
import Foundation
import Glibc

final class ScriptedPeer: Sendable {
    let address: String
    private let finished: AsyncStream<Void>

    /// Listen on a free port; `script` gets the first connection, which closes when it returns.
    init(_ script: @escaping @Sendable (PeerStream) -> Void) {
        let (listener, port) = ScriptedPeer.listen(backlog: 8)
        address = "127.0.0.1:\(port)"
        let (finished, end) = AsyncStream.makeStream(of: Void.self)
        self.finished = finished
        Thread.detachNewThread {
            let stream = PeerStream(accept(listener, nil, nil))
            _ = fcntl(stream.socket, F_SETFD, FD_CLOEXEC)
            script(stream)
            stream.close()
            Glibc.close(listener)
            end.finish()
        }
    }

    /// The script has run to its end.
    func finish() async {
        for await _ in finished {}
    }

    /// A listening socket on a free port of 127.0.0.1.
    static func listen(backlog: Int32) -> (listener: Int32, port: UInt16) {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var byteCount = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                bind(listener, pointer, byteCount) == 0 && Glibc.listen(listener, backlog) == 0
                    && getsockname(listener, pointer, &byteCount) == 0
            }
        }
        precondition(bound, "no free port on 127.0.0.1")
        return (listener, UInt16(bigEndian: address.sin_port))
    }

    /// A port where nobody listens.
    static func unusedPort() -> UInt16 {
        let (listener, port) = listen(backlog: 1)
        close(listener)
        return port
    }
}

/// The peer's end of a connection.
struct PeerStream: Sendable {
    let socket: Int32

    init(_ socket: Int32) { self.socket = socket }

    /// The next message; nil when the client has finished.
    func read() -> Message? {
        guard let header = readBytes(PacketFormat.headerByteCount) else { return nil }
        let length = header[5...].reduce(0) { $0 << 8 | Int($1) }
        guard let payload = readBytes(length) else { return nil }
        do {
            return try Message(decoding: payload.span.bytes)
        } catch {
            preconditionFailure("the client sent what is no message: \(error)")
        }
    }

    func write(_ messages: Message...) { writeBytes(messages.flatMap(PacketEncoder.encode)) }

    func writeBytes(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Answer as servers do, until the client finishes.
    func serve() {
        while let message = read() {
            switch message {
            case .ping: write(.pong)
            case .echo: write(message)
            case .disconnect: return
            case .pong, .custom, .unknown, .handshakeInit, .handshakeResponse, .handshakeConfirm: break
            }
        }
    }

    func close() {
        // Should another test's child have inherited the socket, it is finished all the same.
        shutdown(socket, Int32(SHUT_WR))
        Glibc.close(socket)
    }

    /// End the connection with a reset, as connecting to nowhere does.
    func reset() {
        var nowhere = sockaddr()
        nowhere.sa_family = sa_family_t(AF_UNSPEC)
        connect(socket, &nowhere, socklen_t(MemoryLayout<sockaddr>.size))
    }

    private func readBytes(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var filled = 0
        while filled < count {
            let got = bytes[filled...].withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
            guard got > 0 else { return nil }
            filled += got
        }
        return bytes
    }
}

/// Opened once by one side, waited for by the other's thread.
final class Signal: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func raise() { semaphore.signal() }
    func wait() { semaphore.wait() }
}
