// Sockets as another process would hand them over, for tests.

import ApusReactor
import Glibc

@testable import apus

enum TestSocket {
    /// Listens on a free port, or on a path.
    static func listening(_ address: String = "127.0.0.1:0") throws -> Int32 {
        try openListener(SocketAddress(parsing: address), reusePort: false, backlog: 8).number
    }

    /// A stream socket that does not listen.
    static func unbound() -> Int32 { socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) }

    static func datagram() -> Int32 { socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) }

    /// A descriptor that is no socket.
    static func file() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }

    static func isOpen(_ descriptor: Int32) -> Bool { fcntl(descriptor, F_GETFD) >= 0 }

    /// Whether both name the same open socket.
    static func areOne(_ one: Int32, _ other: Int32) -> Bool {
        var (first, second) = (stat(), stat())
        return fstat(one, &first) == 0 && fstat(other, &second) == 0 && first.st_ino == second.st_ino
    }
}
