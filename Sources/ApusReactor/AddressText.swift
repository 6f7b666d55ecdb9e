// The texts that people write for addresses: reading them, looking names up, and what is wrong with a text.

import Glibc

extension SocketAddress: CustomStringConvertible {
    package var description: String {
        switch family {
        case .ipv4: "\(numericHost):\(port ?? 0)"
        case .ipv6: "[\(numericHost)]:\(port ?? 0)"
        case .unix: "unix:\(unixPath ?? "")"
        case nil: "address family \(domain)"
        }
    }

    /// With the interface (`%eth0`) of a link-local address.
    private var numericHost: String {
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        let result = unsafe withSockaddr { address, byteCount in
            unsafe getnameinfo(address, byteCount, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
        }
        return result == 0 ? String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) : "?"
    }

    /// Reads `127.0.0.1:9000`, `[::1]:9000` or `unix:/run/apus.sock`. Never asks a resolver: a name is an error.
    package init(parsing text: String) throws(AddressError) {
        switch try AddressText(text) {
        case .unix(let path): self = try SocketAddress(unixPath: path)
        case .host(let host, let port, let isBracketed):
            guard let address = SocketAddress(numericHost: host, port: port, isIPv6: isBracketed) else {
                throw .notNumeric(host: host)
            }
            self = address
        }
    }

    package init(unixPath path: String) throws(AddressError) {
        let bytes = Array(path.utf8)
        guard let first = bytes.first else { throw .emptyPath }
        guard first != UInt8(ascii: "@") else { throw .abstractPath(path) }
        guard !bytes.contains(0), bytes.count <= SocketAddress.unixPathByteCountMax else { throw .unusablePath(path) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: bytes) }
        self.init(copying: address, byteCount: SocketAddress.unixPathOffset + bytes.count + 1)
    }

    /// Nil when `host` is not a numeric address of the family that its brackets announce.
    private init?(numericHost host: String, port: UInt16, isIPv6: Bool) {
        // C would stop reading there.
        guard !host.utf8.contains(0) else { return nil }
        guard isIPv6 else {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return nil }
            self.init(copying: address)
            return
        }
        let parts = host.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        guard unsafe inet_pton(AF_INET6, String(parts[0]), &address.sin6_addr) == 1 else { return nil }
        if parts.count == 2 {
            address.sin6_scope_id = unsafe if_nametoindex(String(parts[1]))
            guard address.sin6_scope_id != 0 else { return nil }
        }
        self.init(copying: address)
    }

    /// Every address a text stands for, the preferred one first: names are looked up, which may take seconds.
    package static func resolve(_ text: String) throws(AddressError) -> [SocketAddress] {
        guard case .host(let host, let port, false) = try AddressText(text) else {
            return [try SocketAddress(parsing: text)]
        }
        if let address = SocketAddress(numericHost: host, port: port, isIPv6: false) { return [address] }
        return try lookUp(host).map { $0.with(port: port) }
    }

    private static func lookUp(_ host: String) throws(AddressError) -> [SocketAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var first: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(host, nil, &hints, &first)
        guard result == 0 else { throw .unresolved(host: host, reason: unsafe String(cString: gai_strerror(result))) }
        defer { unsafe freeaddrinfo(first) }

        var found: [SocketAddress] = []
        var next = unsafe first
        while let entry = unsafe next {
            if let address = unsafe SocketAddress(entry.pointee), !found.contains(address) { found.append(address) }
            unsafe next = entry.pointee.ai_next
        }
        return found
    }

    private init?(_ entry: addrinfo) {
        guard let address = unsafe UnsafeRawPointer(entry.ai_addr) else { return nil }
        // The family says which structure `getaddrinfo` has allocated.
        switch unsafe entry.ai_family {
        case AF_INET: unsafe self.init(copying: address.load(as: sockaddr_in.self))
        case AF_INET6: unsafe self.init(copying: address.load(as: sockaddr_in6.self))
        default: return nil
        }
    }
}

/// The parts of an address text, before anybody asks what the host is.
private enum AddressText {
    case unix(path: String)
    case host(String, port: UInt16, isBracketed: Bool)

    init(_ text: String) throws(AddressError) {
        if text.hasPrefix("unix:") {
            self = .unix(path: String(text.dropFirst("unix:".count)))
            return
        }
        guard let colon = text.lastIndex(of: ":"), !text.hasSuffix("]") else { throw .noPort(text) }
        let digits = text[text.index(after: colon)...]
        guard digits.allSatisfy({ $0.isASCII && $0.isNumber }), let port = UInt16(digits) else {
            throw .badPort(String(digits))
        }
        let host = text[..<colon]
        guard !host.isEmpty else { throw .noHost(text) }
        if host.hasPrefix("["), host.hasSuffix("]") {
            self = .host(String(host.dropFirst().dropLast()), port: port, isBracketed: true)
        } else if host.contains(":") {
            throw .bracketsMissing(text)
        } else {
            self = .host(String(host), port: port, isBracketed: false)
        }
    }
}

/// What is wrong with an address text. Its description is one sentence that says what to write instead.
package enum AddressError: Error, Equatable, CustomStringConvertible {
    case noHost(String)
    case noPort(String)
    case badPort(String)
    case bracketsMissing(String)
    case notNumeric(host: String)
    case unresolved(host: String, reason: String)
    case emptyPath
    case abstractPath(String)
    case unusablePath(String)

    package var description: String {
        switch self {
        case .noHost(let text): "\(text) names no host: write 127.0.0.1\(text), or 0.0.0.0\(text) for every interface."
        case .noPort(let text): "\(text) has no port: write HOST:PORT, [IPV6]:PORT or unix:PATH."
        case .badPort(let digits): "\"\(digits)\" is no port: write a number from 0 to 65535."
        case .bracketsMissing(let text): "\(text) is ambiguous: write an IPv6 address in brackets, as in [::1]:9000."
        case .notNumeric(let host): "\(host) is no numeric address: write one such as 127.0.0.1 or [::1]."
        case .unresolved(let host, let reason): "\(host) could not be looked up: \(reason)."
        case .emptyPath: "unix: names no path: write unix:/run/apus.sock or the like."
        case .abstractPath(let path):
            "unix:\(path) is in the abstract namespace, which has no permissions: write the path of a file."
        case .unusablePath(let path):
            "The path \(path) cannot name a socket: at most \(SocketAddress.unixPathByteCountMax) bytes, no zeros."
        }
    }
}
