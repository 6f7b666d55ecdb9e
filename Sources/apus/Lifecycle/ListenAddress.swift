// Where a listening socket is, comparable with where the configuration wants one: as bytes, because one address has
// many texts. It looks up no names.

import Glibc

enum ListenAddress: Equatable, Sendable {
    case ipv4([UInt8], port: UInt16)
    case ipv6([UInt8], port: UInt16)
    case unix(path: String)

    /// Nil for what is none of `HOST:PORT`, `[IPV6]:PORT` and `unix:PATH` with a numeric host.
    init?(_ text: String) {
        if text.hasPrefix("unix:") {
            self = .unix(path: String(text.dropFirst("unix:".count)))
            return
        }
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            // The interface of a link-local address does not take part.
            let digits = host.dropFirst().dropLast().prefix { $0 != "%" }
            guard let bytes = ListenAddress.bytes(of: digits, AF_INET6, count: 16) else { return nil }
            self = .ipv6(bytes, port: port)
        } else {
            guard let bytes = ListenAddress.bytes(of: host, AF_INET, count: 4) else { return nil }
            self = .ipv4(bytes, port: port)
        }
    }

    /// What `descriptor` is bound to; nil when it is no socket of these families.
    init?(of descriptor: Int32) {
        var storage = sockaddr_storage()
        var byteCount = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // A `sockaddr_storage` has room for any address; the pointer is used inside the closures only.
        let result = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &byteCount) }
        }
        guard result == 0 else { return nil }
        let address = withUnsafeBytes(of: storage) { ListenAddress($0, byteCount: Int(byteCount)) }
        guard let address else { return nil }
        self = address
    }

    /// - Parameter bytes: a whole `sockaddr_storage`, which is larger than each structure that is read from it.
    private init?(_ bytes: UnsafeRawBufferPointer, byteCount: Int) {
        switch Int32(bytes.load(as: sockaddr.self).sa_family) {
        case AF_INET:
            let address = bytes.load(as: sockaddr_in.self)
            self = .ipv4(withUnsafeBytes(of: address.sin_addr, Array.init), port: UInt16(bigEndian: address.sin_port))
        case AF_INET6:
            let address = bytes.load(as: sockaddr_in6.self)
            self = .ipv6(withUnsafeBytes(of: address.sin6_addr, Array.init), port: UInt16(bigEndian: address.sin6_port))
        case AF_UNIX:
            let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2
            let path = bytes.prefix(byteCount).dropFirst(offset)
            let isAbstract = path.first == 0 && path.count > 1
            let name = isAbstract ? path.dropFirst() : path.prefix { $0 != 0 }
            self = .unix(path: (isAbstract ? "@" : "") + String(decoding: name, as: UTF8.self))
        default:
            return nil
        }
    }

    /// Whether a socket here is what a configuration asks for that says `wanted`: a port 0 there means any.
    func serves(_ wanted: ListenAddress) -> Bool {
        switch (self, wanted) {
        case (.ipv4(let host, _), .ipv4(let other, port: 0)): host == other
        case (.ipv6(let host, _), .ipv6(let other, port: 0)): host == other
        case (.ipv4, _), (.ipv6, _), (.unix, _): self == wanted
        }
    }

    private static func bytes(of host: some StringProtocol, _ family: Int32, count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        guard !host.utf8.contains(0), inet_pton(family, String(host), &bytes) == 1 else { return nil }
        return bytes
    }
}

extension ListenAddress: CustomStringConvertible {
    var description: String {
        switch self {
        case .ipv4(let bytes, let port): "\(ListenAddress.text(of: bytes, AF_INET)):\(port)"
        case .ipv6(let bytes, let port): "[\(ListenAddress.text(of: bytes, AF_INET6))]:\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }

    private static func text(of bytes: [UInt8], _ family: Int32) -> String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
