// The host of a peer, and the networks it may belong to, as numbers that are compared: for limits by address. Ports are
// none of its concern.

import Glibc

/// An IPv6 address as two numbers, most significant byte first; an IPv4 address is the IPv6 one that stands for it
/// (::ffff:a.b.c.d, RFC 4291 §2.5.5.2).
public struct HostAddress: Hashable, BitwiseCopyable, Sendable {
    public let high: UInt64
    public let low: UInt64

    @inlinable
    public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    public init(ipv4 address: UInt32) { self.init(high: 0, low: 0xFFFF_0000_0000 | UInt64(address)) }

    public var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    /// What one host may have all of: an IPv4 address, an IPv6 network of 64 bits.
    public var site: HostAddress { isIPv4 ? self : HostAddress(high: high, low: 0) }
}

/// A network, such as 10.0.0.0/8 or fd00::/8.
public struct HostNetwork: Equatable, BitwiseCopyable, Sendable {
    private let first: HostAddress
    private let mask: HostAddress

    public static let loopback = [
        HostNetwork(HostAddress(ipv4: 0x7F00_0000), prefixBitCount: 104),
        HostNetwork(HostAddress(high: 0, low: 1), prefixBitCount: 128),
    ]

    /// - Parameter prefixBitCount: 0 … 128, also for IPv4, whose addresses begin with 96 bits of their own.
    private init(_ address: HostAddress, prefixBitCount: Int) {
        mask = HostAddress(
            high: HostNetwork.mask(bitCount: prefixBitCount), low: HostNetwork.mask(bitCount: prefixBitCount - 64))
        first = HostAddress(high: address.high & mask.high, low: address.low & mask.low)
    }

    /// Reads `10.0.0.0/8`, `2001:db8::/32`, or one address without a prefix. Nil for anything else, also where the
    /// address has bits behind its prefix: one of the two is a mistake then.
    public init?(parsing text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = HostAddress(numeric: String(parts[0])) else { return nil }
        let bitCountMax = address.isIPv4 ? 32 : 128
        var bitCount = bitCountMax
        if parts.count == 2 {
            guard parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let parsed = Int(parts[1]),
                parsed <= bitCountMax
            else { return nil }
            bitCount = parsed
        }
        self.init(address, prefixBitCount: 128 - bitCountMax + bitCount)
        guard first == address else { return nil }
    }

    public func contains(_ host: HostAddress) -> Bool {
        host.high & mask.high == first.high && host.low & mask.low == first.low
    }

    /// The leading bits of a word; all of them beyond 64.
    private static func mask(bitCount: Int) -> UInt64 { ~(bitCount >= 64 ? 0 : UInt64.max >> UInt64(max(bitCount, 0))) }
}

extension HostAddress {
    /// Nil when the text is no numeric address.
    fileprivate init?(numeric text: String) {
        // C would stop reading there.
        guard !text.utf8.contains(0) else { return nil }
        var (ipv4, ipv6) = (in_addr(), in6_addr())
        if unsafe inet_pton(AF_INET, text, &ipv4) == 1 {
            self.init(ipv4: UInt32(bigEndian: ipv4.s_addr))
        } else if unsafe inet_pton(AF_INET6, text, &ipv6) == 1 {
            self.init(ipv6)
        } else {
            return nil
        }
    }

    fileprivate init(_ address: in6_addr) {
        // It is 16 bytes, aligned for less than a word.
        let (high, low) = unsafe withUnsafeBytes(of: address) { bytes in
            let low = unsafe bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
            return unsafe (bytes.loadUnaligned(as: UInt64.self), low)
        }
        self.init(high: UInt64(bigEndian: high), low: UInt64(bigEndian: low))
    }
}

extension SocketAddress {
    /// Nil for a UNIX path.
    package var host: HostAddress? {
        switch family {
        case .ipv4: HostAddress(ipv4: UInt32(bigEndian: view(as: sockaddr_in.self).sin_addr.s_addr))
        case .ipv6: HostAddress(view(as: sockaddr_in6.self).sin6_addr)
        case .unix, nil: nil
        }
    }

    package init(host: HostAddress, port: UInt16) {
        if host.isIPv4 {
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_addr.s_addr = UInt32(truncatingIfNeeded: host.low).bigEndian
            address.sin_port = port.bigEndian
            self.init(copying: address)
        } else {
            var address = sockaddr_in6()
            address.sin6_family = sa_family_t(AF_INET6)
            // A union of numbers of the same 16 bytes, all of which are written.
            unsafe address.sin6_addr.__in6_u.__u6_addr32 = (
                UInt32(truncatingIfNeeded: host.high >> 32).bigEndian, UInt32(truncatingIfNeeded: host.high).bigEndian,
                UInt32(truncatingIfNeeded: host.low >> 32).bigEndian, UInt32(truncatingIfNeeded: host.low).bigEndian
            )
            address.sin6_port = port.bigEndian
            self.init(copying: address)
        }
    }
}
