// How much memory the kernel may keep for sockets, as this host is set. It is read once by who plans limits, never by a
// loop.

import Glibc

/// In bytes, of one connection unless said otherwise.
package struct SocketMemory: Equatable, Sendable {
    /// net.ipv4.tcp_wmem and tcp_rmem: how far the kernel lets a queue grow by itself.
    package var tcpSendByteCountMax: Int
    package var tcpReceiveByteCountMax: Int
    /// net.core.wmem_default: the queue of a UNIX socket, which has one in each direction, the receiver's with the
    /// sender.
    package var unixByteCount: Int
    /// net.ipv4.tcp_mem: of all TCP sockets of the host together. Nil: not readable.
    package var tcpTotalByteCountMax: Int?

    package init(
        tcpSendByteCountMax: Int, tcpReceiveByteCountMax: Int, unixByteCount: Int, tcpTotalByteCountMax: Int?
    ) {
        self.tcpSendByteCountMax = tcpSendByteCountMax
        self.tcpReceiveByteCountMax = tcpReceiveByteCountMax
        self.unixByteCount = unixByteCount
        self.tcpTotalByteCountMax = tcpTotalByteCountMax
    }

    /// Of this host; where it does not tell, what kernels have by default.
    package static func current() -> SocketMemory {
        let pageByteCount = sysconf(Int32(_SC_PAGESIZE))
        return SocketMemory(
            tcpSendByteCountMax: lastNumber(in: "/proc/sys/net/ipv4/tcp_wmem") ?? 4 << 20,
            tcpReceiveByteCountMax: lastNumber(in: "/proc/sys/net/ipv4/tcp_rmem") ?? 6 << 20,
            unixByteCount: lastNumber(in: "/proc/sys/net/core/wmem_default") ?? 212_992,
            tcpTotalByteCountMax: lastNumber(in: "/proc/sys/net/ipv4/tcp_mem").map { $0 * pageByteCount })
    }

    /// What the queues of all TCP sockets of this network namespace hold now, both ends of a loopback's:
    /// /proc/net/sockstat, which counts whole pages and lets each processor keep some to itself. Nil: not readable.
    package static func tcpByteCountInUse() -> Int? {
        let line = readable("/proc/net/sockstat")?.split(separator: "\n").first { $0.hasPrefix("TCP:") }
        guard let words = line?.split(separator: " "), let place = words.firstIndex(of: "mem"), place + 1 < words.count
        else { return nil }
        return Int(words[place + 1]).map { $0 * sysconf(Int32(_SC_PAGESIZE)) }
    }

    private static func lastNumber(in path: String) -> Int? {
        readable(path)?.split(whereSeparator: \.isWhitespace).last.flatMap { Int($0) }
    }
}
