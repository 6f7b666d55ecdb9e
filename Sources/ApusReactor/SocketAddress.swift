// Where a socket is: IPv4, IPv6 or a UNIX path, as the kernel's own bytes, with the texts that people write.

import Glibc

/// A `sockaddr` by value. Its text forms are `127.0.0.1:9000`, `[::1]:9000` and `unix:/run/apus.sock`.
@safe
package struct SocketAddress: BitwiseCopyable, Sendable {
    /// The longest path the kernel takes, without the zero byte that ends it.
    package static let unixPathByteCountMax = 107
    static let unixPathOffset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) ?? 2

    /// First, so that a pointer to an address is a pointer to a `sockaddr`.
    private var storage: sockaddr_storage
    package private(set) var byteCount: UInt32

    /// What a system call fills in; nil when it fails.
    init?(filledBy fill: (UnsafeMutablePointer<sockaddr>, inout UInt32) -> Int32) {
        storage = sockaddr_storage()
        byteCount = UInt32(MemoryLayout<sockaddr_storage>.size)
        var count = byteCount
        let result = unsafe withUnsafeMutableBytes(of: &storage) { bytes in
            // The storage is made for holding any of them, so it is not empty.
            unsafe fill(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), &count)
        }
        guard result == 0 else { return nil }
        byteCount = min(count, byteCount)
    }

    /// A copy of one of the system's address structures, or of its first `byteCount` bytes.
    init<Address>(copying address: Address, byteCount: Int = MemoryLayout<Address>.size) {
        storage = sockaddr_storage()
        self.byteCount = UInt32(byteCount)
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe withUnsafeBytes(of: address) { source in
                unsafe target.copyMemory(from: .init(rebasing: source.prefix(byteCount)))
            }
        }
    }

    /// The bytes that `connect` wants; valid as long as `address` is.
    package static func bytes(of address: UnsafePointer<SocketAddress>) -> UnsafeRawBufferPointer {
        unsafe UnsafeRawBufferPointer(start: address, count: Int(address.pointee.byteCount))
    }

    /// Calls `body` with what `bind` and `connect` want.
    func withSockaddr<Result>(_ body: (UnsafePointer<sockaddr>, UInt32) -> Result) -> Result {
        unsafe withUnsafeBytes(of: storage) { bytes in
            // The storage is made for holding any of them, so it is not empty.
            unsafe body(bytes.baseAddress!.assumingMemoryBound(to: sockaddr.self), byteCount)
        }
    }
}

// MARK: Parts

extension SocketAddress {
    package enum Family: Sendable {
        case ipv4, ipv6, unix
    }

    /// Nil for a family that is none of ours.
    package var family: Family? {
        switch Int32(storage.ss_family) {
        case AF_INET: .ipv4
        case AF_INET6: .ipv6
        case AF_UNIX: .unix
        default: nil
        }
    }

    /// Nil for a UNIX path.
    package var port: UInt16? {
        switch family {
        case .ipv4: UInt16(bigEndian: view(as: sockaddr_in.self).sin_port)
        case .ipv6: UInt16(bigEndian: view(as: sockaddr_in6.self).sin6_port)
        case .unix, nil: nil
        }
    }

    /// Equal for peers that share what one host may have: those of an IPv4 address, of an IPv6 network of 64 bits, of
    /// any UNIX socket. Seeded anew in every process, so that nobody can choose addresses that share it.
    package var hostKey: UInt64 {
        var hasher = Hasher()
        hasher.combine(host?.site)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    /// The same host at another port; a UNIX path stays what it is.
    package func with(port: UInt16) -> SocketAddress {
        switch family {
        case .ipv4:
            var address = view(as: sockaddr_in.self)
            address.sin_port = port.bigEndian
            return SocketAddress(copying: address)
        case .ipv6:
            var address = view(as: sockaddr_in6.self)
            address.sin6_port = port.bigEndian
            return SocketAddress(copying: address)
        case .unix, nil:
            return self
        }
    }

    /// Nil unless this is a UNIX path; empty for a socket without one, as clients have.
    package var unixPath: String? {
        guard family == .unix else { return nil }
        let bytes = pathBytes
        // A path from the kernel may or may not count its final zero; a leading one marks the abstract namespace.
        guard bytes.first == 0, bytes.count > 1 else {
            return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
        }
        return "@" + String(decoding: bytes.dropFirst(), as: UTF8.self)
    }

    /// The domain a socket for this address is made in.
    var domain: Int32 { Int32(storage.ss_family) }

    private var pathBytes: [UInt8] {
        unsafe withUnsafeBytes(of: storage) { bytes in
            unsafe Array(bytes[min(SocketAddress.unixPathOffset, Int(byteCount))..<Int(byteCount)])
        }
    }

    /// `storage` is zeroed where nothing was filled in, and larger than each of them.
    func view<Address>(as type: Address.Type) -> Address {
        unsafe withUnsafeBytes(of: storage) { bytes in unsafe bytes.load(as: type) }
    }
}

extension SocketAddress: Hashable {
    package static func == (left: SocketAddress, right: SocketAddress) -> Bool {
        unsafe withUnsafeBytes(of: left.storage) { left in
            unsafe withUnsafeBytes(of: right.storage) { right in unsafe left.elementsEqual(right) }
        } && left.byteCount == right.byteCount
    }

    package func hash(into hasher: inout Hasher) {
        unsafe withUnsafeBytes(of: storage) { bytes in
            unsafe hasher.combine(bytes: .init(rebasing: bytes.prefix(Int(byteCount))))
        }
    }
}
