// A TCP socket of the loopback whose every wait ends. It must never know what the bytes mean.

import Foundation

struct BlockingSocket: Sendable {
    private let descriptor: Int32
    private static let patienceSeconds = 30

    private init(_ descriptor: Int32) { self.descriptor = descriptor }

    static func listen() throws -> BlockingSocket {
        let listener = BlockingSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        try listener.withAddress(port: 0) { try check(bind(listener.descriptor, $0, $1)) }
        try check(Glibc.listen(listener.descriptor, 128))
        return listener
    }

    static func connect(port: UInt16) throws -> BlockingSocket {
        let connection = BlockingSocket(socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0))
        try connection.withAddress(port: port) { try check(Glibc.connect(connection.descriptor, $0, $1)) }
        connection.setOptions()
        return connection
    }

    func localPort() throws -> UInt16 {
        var address = sockaddr_in()
        var byteCount = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &byteCount) }
        }
        try check(result)
        return UInt16(bigEndian: address.sin_port)
    }

    func accept() -> BlockingSocket? {
        let connection = BlockingSocket(Glibc.accept(descriptor, nil, nil))
        guard connection.descriptor >= 0 else { return nil }
        connection.setOptions()
        return connection
    }

    /// Nil at the peer's end, after an error, and when nothing comes.
    func receive() -> [UInt8]? {
        let piece = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
            count = max(0, recv(descriptor, buffer.baseAddress, buffer.count, 0))
        }
        return piece.isEmpty ? nil : piece
    }

    /// False when the peer takes no more.
    func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, 0) }
            guard count > 0 else { return false }
            sent += count
        }
        return true
    }

    /// Reads on until the peer has ended too: closing with unread bytes would send a reset, which destroys what was
    /// sent.
    func finish() {
        shutdown(descriptor, Int32(SHUT_WR))
        while receive() != nil {}
        close(descriptor)
    }

    private func setOptions() {
        var timeout = timeval(tv_sec: BlockingSocket.patienceSeconds, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &timeout, socklen_t(MemoryLayout<timeval>.size))
        }
        var isOn: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<Int32>.size))
    }

    private func withAddress(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> Void) throws {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        try withUnsafePointer(to: address) { address in
            try address.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                try body($0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}

/// A call to the system that failed.
struct SocketFailure: Error, CustomStringConvertible {
    let description: String
}

private func check(_ result: Int32) throws {
    guard result == 0 else { throw SocketFailure(description: String(cString: strerror(errno))) }
}
