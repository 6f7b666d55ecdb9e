// One GET of the admin endpoint, over TCP or a UNIX socket, that blocks its thread for at most as long as it may.

import ApusOperations
import Glibc

/// Why there was no answer, as a sentence.
struct StatusUnreachable: Error, CustomStringConvertible {
    let description: String
}

struct StatusConnection: Sendable {
    let address: String
    private let place: Place
    private static let timeout = Duration.seconds(2)

    private enum Place: Sendable {
        case tcp(host: String, port: String)
        case unix(path: String)
    }

    /// - Parameter address: `HOST:PORT`, `[IPV6]:PORT` or `unix:PATH`.
    init(to address: String) throws {
        self.address = address
        place = try StatusConnection.place(of: address)
    }

    private static func place(of address: String) throws -> Place {
        if address.hasPrefix("unix:") {
            let path = String(address.dropFirst("unix:".count))
            guard !path.isEmpty, path.utf8.count < 108 else {
                throw Failure(.invalidConfiguration, "apus: --address \(address): a path has 1 to 107 bytes")
            }
            return .unix(path: path)
        }
        let colon = address.lastIndex(of: ":")
        guard let colon, let port = UInt16(address[address.index(after: colon)...]), colon != address.startIndex else {
            throw Failure(
                .invalidConfiguration, "apus: --address \(address): write HOST:PORT, [IPV6]:PORT or unix:PATH")
        }
        let host = address[..<colon]
        let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
        return .tcp(host: String(isBracketed ? host.dropFirst().dropLast() : host), port: "\(port)")
    }

    /// The body of a good answer.
    func get(_ path: String) throws -> [UInt8] {
        let deadline = ContinuousClock.now + StatusConnection.timeout
        let socket = try connect()
        defer { close(socket) }
        // Neither end may keep the other's thread: the server closes after its answer, and the clock is looked at.
        let request = "GET \(path) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        try send(Array(request.utf8), over: socket)
        return try receive(over: socket, until: deadline)
    }

    private func send(_ bytes: [UInt8], over socket: Int32) throws {
        var sent = 0
        while sent < bytes.count {
            // The buffer is read inside the closure only.
            let count = bytes[sent...].withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count >= 0 || errno == EINTR else { throw unreachable(errno) }
            sent += max(count, 0)
        }
    }

    private func receive(over socket: Int32, until deadline: ContinuousClock.Instant) throws -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 65_536)
        while bytes.count <= StatusResponse.byteCountMax, ContinuousClock.now < deadline {
            let count = recv(socket, &piece, piece.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw unreachable(errno) }
            bytes += piece.prefix(count)
            switch StatusResponse(parsing: bytes, isEnd: count == 0) {
            case .incomplete: continue
            case .complete(200, let body): return body
            case .complete(let code, _): throw StatusUnreachable(description: "\(address) answers with code \(code)")
            case .malformed(let reason): throw StatusUnreachable(description: "\(address): \(reason)")
            }
        }
        throw StatusUnreachable(description: "\(address): the answer takes too long, or has no end")
    }

    private func unreachable(_ errno: Int32) -> StatusUnreachable {
        // A time limit that ran out is reported as "try again".
        let reason = errno == EAGAIN || errno == EINPROGRESS ? "no answer" : String(cString: strerror(errno))
        return StatusUnreachable(description: "\(address): \(reason)")
    }
}

// MARK: Connecting

extension StatusConnection {
    private func connect() throws -> Int32 {
        switch place {
        case .tcp(let host, let port): try connect(host: host, port: port)
        case .unix(let path): try connect(path: path)
        }
    }

    private func connect(path: String) throws -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // Its length was checked, so a zero byte stays behind it; a `sockaddr_un` begins as every `sockaddr` does.
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return try withUnsafePointer(to: &address) { pointer in
            try pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                try connect(AF_UNIX, address, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    /// To the first address of the host that takes it.
    private func connect(host: String, port: String) throws -> Int32 {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, port, &hints, &found)
        guard result == 0 else {
            throw StatusUnreachable(description: "\(address): \(String(cString: gai_strerror(result)))")
        }
        defer { freeaddrinfo(found) }
        var trouble = StatusUnreachable(description: "\(address): the name has no address")
        // The list is the resolver's, until it is freed above.
        var next = found
        while let candidate = next {
            do {
                return try connect(
                    candidate.pointee.ai_family, candidate.pointee.ai_addr, candidate.pointee.ai_addrlen)
            } catch let failure as StatusUnreachable {
                trouble = failure
            }
            next = candidate.pointee.ai_next
        }
        throw trouble
    }

    private func connect(_ family: Int32, _ address: UnsafePointer<sockaddr>, _ count: socklen_t) throws -> Int32 {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw unreachable(errno) }
        // The time limit for sending holds for connecting too.
        var limit = timeval(tv_sec: Int(StatusConnection.timeout.components.seconds), tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        guard Glibc.connect(descriptor, address, count) == 0 else {
            let failure = unreachable(errno)
            close(descriptor)
            throw failure
        }
        return descriptor
    }
}
