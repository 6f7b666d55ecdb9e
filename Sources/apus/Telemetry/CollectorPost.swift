// One HTTP/1.1 POST over a blocking socket, from connect to the status line, within one deadline. It knows bytes and a
// status, not what is in them. For threads that may block.

import Glibc

/// What a collector said, or why nothing came of it.
enum PostOutcome: Equatable {
    /// 2xx.
    case taken
    /// The collector is busy or gone for now: the same bytes may be sent again, after so many seconds if it said so.
    case retry(String, afterSeconds: Int?)
    /// Sending the same bytes again would end the same.
    case refused(String)
}

struct CollectorPost {
    /// A response's head is read so far and no further.
    private static let headByteCountMax = 16 << 10

    let address: CollectorAddress
    let timeoutSeconds: Double

    func send(_ body: [UInt8], contentType: String) -> PostOutcome {
        let deadline = PostDeadline(after: timeoutSeconds)
        do throws(PostFailure) {
            let socket = try CollectorSocket(to: address, deadline)
            defer { socket.close() }
            let head = "POST \(address.path) HTTP/1.1\r\nHost: \(address.authority)\r\nContent-Type: \(contentType)\r\n"
                + "Content-Length: \(body.count)\r\nUser-Agent: apus\r\nConnection: close\r\n\r\n"
            try socket.write(Array(head.utf8) + body, deadline)
            return CollectorPost.outcome(of: try readHead(from: socket, deadline))
        } catch {
            return .retry("\(address): \(error)", afterSeconds: nil)
        }
    }

    private func readHead(from socket: CollectorSocket, _ deadline: PostDeadline) throws(PostFailure) -> String {
        var bytes: [UInt8] = []
        while bytes.count < CollectorPost.headByteCountMax {
            let text = String(decoding: bytes, as: UTF8.self)
            if let end = text.utf8.firstRange(of: "\r\n\r\n".utf8) { return String(text[..<end.lowerBound]) }
            let more = try socket.read(deadline)
            if more.isEmpty { break }
            bytes += more
        }
        throw PostFailure("the answer is no HTTP response")
    }

    static func outcome(of head: String) -> PostOutcome {
        let lines = head.split(separator: "\r\n")
        let parts = (lines.first ?? "").split(separator: " ", maxSplits: 2)
        guard parts.count >= 2, parts[0].hasPrefix("HTTP/1."), let status = Int(parts[1]) else {
            return .refused("the answer is no HTTP response")
        }
        let said = "it answered \(parts.dropFirst().joined(separator: " "))"
        switch status {
        case 200..<300: return .taken
        // OTLP/HTTP §Retryable response codes.
        case 429, 502, 503, 504: return .retry(said, afterSeconds: retryAfter(lines))
        default: return .refused(said)
        }
    }

    private static func retryAfter(_ lines: [Substring]) -> Int? {
        let field = lines.first { $0.lowercased().hasPrefix("retry-after:") }
        return field.flatMap { Int($0.drop { $0 != ":" }.dropFirst().filter { $0 != " " }) }
    }
}

struct PostFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }

    /// What the last system call said.
    static func system(_ attempt: String) -> PostFailure {
        PostFailure("\(attempt): \(String(cString: strerror(errno)))")
    }
}

/// A moment after which nothing is waited for.
struct PostDeadline {
    private let nanoseconds: UInt64

    init(after seconds: Double) { nanoseconds = PostDeadline.now() + UInt64(max(0, seconds) * 1e9) }

    var leftMilliseconds: Int32 {
        let now = PostDeadline.now()
        return now >= nanoseconds ? 0 : Int32(clamping: (nanoseconds - now) / 1_000_000 + 1)
    }

    private static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A connection that never waits beyond a deadline.
struct CollectorSocket {
    private let descriptor: Int32

    /// The first address of the host that answers.
    init(to address: CollectorAddress, _ deadline: PostDeadline) throws(PostFailure) {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let resolved = getaddrinfo(address.host, "\(address.port)", &hints, &found)
        guard resolved == 0 else { throw PostFailure("resolve: \(String(cString: gai_strerror(resolved)))") }
        defer { freeaddrinfo(found) }
        var failure = PostFailure("resolve: it has no address")
        var next = found
        while let candidate = next {
            do throws(PostFailure) {
                descriptor = try CollectorSocket.connect(to: candidate.pointee, deadline)
                return
            } catch {
                failure = error
            }
            next = candidate.pointee.ai_next
        }
        throw failure
    }

    private static func connect(to candidate: addrinfo, _ deadline: PostDeadline) throws(PostFailure) -> Int32 {
        let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        let descriptor = socket(candidate.ai_family, candidate.ai_socktype | flags, candidate.ai_protocol)
        guard descriptor >= 0 else { throw .system("socket") }
        do throws(PostFailure) {
            if Glibc.connect(descriptor, candidate.ai_addr, candidate.ai_addrlen) == 0 { return descriptor }
            guard errno == EINPROGRESS else { throw .system("connect") }
            try wait(for: descriptor, POLLOUT, deadline, "connect")
            var error: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size)
            errno = error
            guard error == 0 else { throw .system("connect") }
            return descriptor
        } catch {
            Glibc.close(descriptor)
            throw error
        }
    }

    private static func wait(
        for descriptor: Int32, _ events: Int32, _ deadline: PostDeadline, _ attempt: String
    ) throws(PostFailure) {
        var interest = pollfd(fd: descriptor, events: Int16(events), revents: 0)
        while true {
            let ready = poll(&interest, 1, deadline.leftMilliseconds)
            if ready > 0 { return }
            if ready == 0 { throw PostFailure("\(attempt): no answer in time") }
            guard errno == EINTR else { throw .system(attempt) }
        }
    }

    func write(_ bytes: [UInt8], _ deadline: PostDeadline) throws(PostFailure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 {
                sent += count
            } else if errno == EAGAIN {
                try CollectorSocket.wait(for: descriptor, POLLOUT, deadline, "send")
            } else if errno != EINTR {
                throw .system("send")
            }
        }
    }

    /// What has come; empty when the peer has finished.
    func read(_ deadline: PostDeadline) throws(PostFailure) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count >= 0 { return Array(buffer.prefix(count)) }
            if errno == EAGAIN {
                try CollectorSocket.wait(for: descriptor, POLLIN, deadline, "receive")
            } else if errno != EINTR {
                throw .system("receive")
            }
        }
    }

    func close() { Glibc.close(descriptor) }
}
