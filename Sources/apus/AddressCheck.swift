// Whether a listener's address can be bound: without sharing the port, as the server probes it, and only for a moment.
// It says who holds an address where that can be seen.

import ApusConfiguration
import Foundation
import Glibc

struct AddressCheck: Encodable {
    enum State: String, Encodable {
        case free
        /// By a running apus: a reload keeps it.
        case served
        case taken
        case refused
    }

    let listener: String
    let address: String
    let state: State
    /// What is wrong, and what to do; empty where nothing is.
    let reason: String

    var isUnusable: Bool { state == .taken || state == .refused }

    var sentence: String { "listener \(listener): \(address) \(words)" }

    private var words: String {
        switch state {
        case .free: "can be bound"
        case .served, .taken, .refused: reason
        }
    }

    init(of listener: Listener) {
        (self.listener, address) = (listener.name, listener.address)
        let error = address.hasPrefix("unix:")
            ? AddressCheck.unixError(of: String(address.dropFirst("unix:".count))) : AddressCheck.tcpError(of: address)
        (state, reason) = AddressCheck.judgement(of: error, address)
    }

    private static func judgement(of error: Int32, _ address: String) -> (State, String) {
        switch error {
        case 0: return (.free, "")
        case EADDRINUSE:
            guard let holder = AddressHolder.find(address) else {
                return (.taken, "is in use by another process: end it, or choose another address")
            }
            let process = "\(holder.name) (process \(holder.process))"
            return holder.name == "apus"
                ? (.served, "is held by a running \(process): a reload keeps it, a second server could not have it")
                : (.taken, "is in use by \(process): end it, or choose another address")
        case EACCES, EPERM: return (.refused, "may not be bound by this user: another port, or CAP_NET_BIND_SERVICE")
        case EADDRNOTAVAIL: return (.refused, "is no address of this host: choose one that it has, or 0.0.0.0")
        case ENOENT: return (.refused, "is in a folder that does not exist: make it")
        case ENOTSOCK: return (.refused, "is there and is no socket: remove it, or choose another path")
        default: return (.refused, "cannot be bound: \(String(cString: strerror(error)))")
        }
    }

    // MARK: Binding

    /// 0, or an errno.
    private static func tcpError(of address: String) -> Int32 {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        // Freed below, after its last use.
        var first: UnsafeMutablePointer<addrinfo>?
        let parts = AddressCheck.parts(of: address)
        guard getaddrinfo(parts.host, parts.port, &hints, &first) == 0, let found = first else { return EADDRNOTAVAIL }
        defer { freeaddrinfo(first) }
        let descriptor = socket(found.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { close(descriptor) }
        var yes: Int32 = 1
        // Connections of an earlier run that linger are no obstacle; an IPv6 address is IPv6's alone, as it is served.
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        if found.pointee.ai_family == AF_INET6 {
            setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        guard bind(descriptor, found.pointee.ai_addr, found.pointee.ai_addrlen) == 0 else { return errno }
        return listen(descriptor, 1) == 0 ? 0 : errno
    }

    /// Nothing is bound, since that would leave a file: who answers there, and may one be made?
    private static func unixError(of path: String) -> Int32 {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
        guard access(folder, F_OK) == 0 else { return ENOENT }
        guard access(folder, W_OK | X_OK) == 0 else { return EACCES }
        var status = stat()
        guard lstat(path, &status) == 0 else { return 0 }
        guard status.st_mode & S_IFMT == S_IFSOCK else { return ENOTSOCK }
        return answers(path) ? EADDRINUSE : 0
    }

    private static func answers(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // The path was checked to fit, with its zero, and the address lives as long as the call.
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8).prefix($0.count - 1)) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
            }
        }
    }

    private static func parts(of address: String) -> (host: String, port: String) {
        let colon = address.lastIndex(of: ":") ?? address.endIndex
        let host = address[..<colon].filter { $0 != "[" && $0 != "]" }
        return (String(host), String(address[colon...].dropFirst()))
    }
}
