// A collector of metrics for tests: HTTP over a socket, one request a connection.

import Foundation
import Glibc
import Synchronization

/// Takes one request a connection, answers what it was told to and remembers what it was sent. After its last answer it
/// accepts and says nothing.
final class Collector: Sendable {
    struct Request: Sendable {
        var head: String
        var body: String
    }

    let port: UInt16
    private let taken = Mutex<[Request]>([])
    private let held = Mutex<[Int32]>([])

    var requests: [Request] { taken.withLock { $0 } }

    init(answers: [String]) throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                _ = bind(listener, $0, size)
                _ = getsockname(listener, $0, &size)
            }
        }
        listen(listener, 16)
        port = UInt16(bigEndian: address.sin_port)
        Thread.detachNewThread { [self] in
            for answer in answers { serve(accept(listener, nil, nil), answer) }
            while true {
                let silent = accept(listener, nil, nil)
                if silent < 0 { return }
                held.withLock { $0.append(silent) }
            }
        }
    }

    private func serve(_ connection: Int32, _ answer: String) {
        var bytes: [UInt8] = []
        while true {
            let text = String(decoding: bytes, as: UTF8.self)
            if let end = text.range(of: "\r\n\r\n") {
                let head = String(text[..<end.upperBound])
                let length = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                    .flatMap { Int($0.dropFirst(16)) } ?? 0
                let body = String(text[end.upperBound...])
                if body.utf8.count >= length {
                    taken.withLock { $0.append(Request(head: head, body: body)) }
                    break
                }
            }
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = recv(connection, &piece, piece.count, 0)
            guard count > 0 else { break }
            bytes += piece.prefix(count)
        }
        let response = Array("HTTP/1.1 \(answer)\r\nContent-Length: 0\r\n\r\n".utf8)
        _ = send(connection, response, response.count, Int32(MSG_NOSIGNAL))
        close(connection)
    }
}
