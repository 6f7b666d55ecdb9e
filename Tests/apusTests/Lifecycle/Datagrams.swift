// A service manager's end of NOTIFY_SOCKET: what was said there, datagram by datagram.

import Glibc
import TestSupport

@testable import apus

final class Datagrams: Sendable {
    let name: String
    private let descriptor: Int32

    /// - Parameter name: a path, or `@NAME`.
    init(at name: String) throws {
        self.name = name
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        let bound = UnixAddress(name)?.withSockaddr { bind(descriptor, $0, $1) }
        guard bound == 0 else { throw NotBound(name: name) }
        var timeout = timeval(tv_sec: patienceSeconds, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    struct NotBound: Error {
        let name: String
    }

    /// The next one; nil when none came for as long as a test waits.
    func next() -> String? { receive(flags: 0) }

    /// What is there already.
    func waiting() -> [String] {
        var texts: [String] = []
        while let text = receive(flags: Int32(MSG_DONTWAIT)) { texts.append(text) }
        return texts
    }

    /// The first that contains `text`, without those before it.
    func first(containing text: String) -> String? {
        while let next = next() {
            if next.contains(text) { return next }
        }
        return nil
    }

    private func receive(flags: Int32) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, flags)
        return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
