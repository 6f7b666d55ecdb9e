// One question to the control socket of a server on this machine: a request of HTTP/1.1 over a UNIX socket, and its
// answer. It blocks, it is bounded in time and bytes, and it knows no verb.

import Glibc

/// What the server said.
struct ControlResponse: Equatable {
    let status: Int
    let isJSON: Bool
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }
    var isSuccess: Bool { (200..<300).contains(status) }
}

struct ControlConnection: ~Copyable {
    /// Where a server listens for control unless it is told otherwise.
    static let defaultAddress = "unix:/run/apus/control.sock"
    /// The longest answer that is read.
    static let responseByteCountMax = 4 << 20

    private let address: String
    private let descriptor: Int32
    private let deadline: ContinuousClock.Instant

    /// - Parameters:
    ///   - address: `unix:PATH`.
    ///   - timeout: for all of it.
    static func open(to address: String, timeout: Duration) throws -> ControlConnection {
        let path = try ControlConnection.path(of: address)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else {
            throw Failure(.runtimeFailure, "apus: cannot open a socket: \(systemText(errno))")
        }
        let connection = ControlConnection(address, descriptor, until: .now + timeout)
        try connection.connectSocket(path)
        return connection
    }

    private init(_ address: String, _ descriptor: Int32, until deadline: ContinuousClock.Instant) {
        self.address = address
        self.descriptor = descriptor
        self.deadline = deadline
    }

    deinit { close(descriptor) }

    private static func path(of address: String) throws -> [UInt8] {
        guard address.hasPrefix("unix:") else {
            throw Failure(
                .usage, "apus: --control \(address): a server is controlled over its UNIX socket only: write unix:PATH")
        }
        let path = Array(address.utf8.dropFirst("unix:".utf8.count))
        guard (1...ControlConnection.pathByteCountMax).contains(path.count), !path.contains(0) else {
            throw Failure(.usage, "apus: --control \(address): a socket's path has 1 to 107 bytes and no zeros")
        }
        return path
    }

    /// What `sun_path` holds, less the zero that ends it.
    private static let pathByteCountMax = 107

    private func connectSocket(_ path: [UInt8]) throws {
        var target = sockaddr_un()
        target.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: path) }
        try limitWaiting()
        let result = withUnsafePointer(to: &target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else { throw ControlConnection.unreachable(address, errno) }
    }

    private static func unreachable(_ address: String, _ errno: Int32) -> Failure {
        let reason: String =
            switch errno {
            case ENOENT: "there is no such socket: does the server run, and is this its control socket?"
            case ECONNREFUSED: "no server listens there: the socket was left behind by one that has ended"
            case EACCES, EPERM: "permission denied: run this as the server's user"
            case ENOTSOCK, EPROTOTYPE: "that is no socket of a server"
            case EAGAIN: "the server does not accept connections: is it stopped or overloaded?"
            default: systemText(errno)
            }
        return Failure(.runtimeFailure, "apus: cannot reach the control socket \(address): \(reason)")
    }
}

// MARK: One question

extension ControlConnection {
    /// Ask once; the connection is used up.
    consuming func request(_ method: String, _ path: String) throws -> ControlResponse {
        let fields = "Host: apus\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        try send(Array("\(method) \(path) HTTP/1.1\r\n\(fields)".utf8))
        let bytes = try receiveAll()
        guard let response = ControlResponse(parsing: bytes) else {
            throw Failure(.runtimeFailure, "apus: what answers at \(address) is no control socket of Apus")
        }
        return response
    }

    private func send(_ bytes: [UInt8]) throws {
        var sent = 0
        while sent < bytes.count {
            try limitWaiting()
            // The buffer is read inside the closure only.
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 || errno == EINTR else { throw broken(errno) }
            sent += max(0, count)
        }
    }

    /// Until the server closes, or has said all that it announced.
    private func receiveAll() throws -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while !ControlResponse.isWhole(bytes) {
            try limitWaiting()
            let count = recv(descriptor, &chunk, chunk.count, 0)
            if count == 0 { break }
            guard count > 0 || errno == EINTR else { throw broken(errno) }
            bytes += chunk.prefix(max(0, count))
            guard bytes.count <= ControlConnection.responseByteCountMax else {
                throw Failure(.runtimeFailure, "apus: the answer of \(address) is longer than 4 MiB")
            }
        }
        return bytes
    }

    /// Every wait of the socket ends with the deadline.
    private func limitWaiting() throws {
        let left = deadline - .now
        guard left > .zero else { throw broken(EAGAIN) }
        let microseconds = max(1, Int(left / .microseconds(1)))
        var limit = timeval(tv_sec: microseconds / 1_000_000, tv_usec: microseconds % 1_000_000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    private func broken(_ errno: Int32) -> Failure {
        let reason = errno == EAGAIN ? "no answer in time; give it more with --timeout" : systemText(errno)
        return Failure(.runtimeFailure, "apus: the control socket \(address): \(reason)")
    }
}

// MARK: HTTP

extension ControlResponse {
    private static let blankLine = Array("\r\n\r\n".utf8)

    /// Nil: no response of HTTP/1, or not all of it.
    init?(parsing bytes: [UInt8]) {
        guard let head = ControlResponse.head(of: bytes) else { return nil }
        let words = head.lines[0].split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), words[1].utf8.count == 3, let status = Int(words[1])
        else { return nil }
        let body = bytes[head.byteCount...]
        if let announced = head.contentLength {
            guard body.count >= announced else { return nil }
            self.body = Array(body.prefix(announced))
        } else {
            self.body = Array(body)
        }
        self.status = status
        isJSON = head.field("content-type")?.hasPrefix("application/json") ?? false
    }

    /// Nothing more has to come. Without an announced length only the end of the stream says so.
    static func isWhole(_ bytes: [UInt8]) -> Bool {
        guard let head = head(of: bytes), let announced = head.contentLength else { return false }
        return bytes.count - head.byteCount >= announced
    }

    private struct Head {
        let lines: [Substring]
        let byteCount: Int

        func field(_ name: String) -> String? {
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
                guard parts.count == 2, parts[0].lowercased() == name else { continue }
                return String(parts[1].drop { $0 == " " || $0 == "\t" })
            }
            return nil
        }

        var contentLength: Int? {
            field("content-length").flatMap { Int($0) }.map { min(max(0, $0), ControlConnection.responseByteCountMax) }
        }
    }

    private static func head(of bytes: [UInt8]) -> Head? {
        guard bytes.count >= blankLine.count else { return nil }
        let begins = 0...bytes.count - blankLine.count
        guard let end = begins.first(where: { bytes[$0..<$0 + blankLine.count].elementsEqual(blankLine) }) else {
            return nil
        }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(
            separator: "\r\n", omittingEmptySubsequences: false)
        return Head(lines: lines, byteCount: end + blankLine.count)
    }
}

private func systemText(_ errno: Int32) -> String { String(cString: strerror(errno)) }
