// Sockets that carry connections: opening one to connect with, and asking one who is at its ends.

import CURing
import Glibc

/// The process at the other end of a UNIX connection, as it was when it connected.
package struct PeerCredentials: Equatable, BitwiseCopyable, Sendable {
    package let pid: Int32
    package let uid: UInt32
    package let gid: UInt32

    package init(pid: Int32, uid: UInt32, gid: UInt32) {
        self.pid = pid
        self.uid = uid
        self.gid = gid
    }
}

/// A socket of the right kind for `address`, not connected.
package func openStream(for address: SocketAddress) throws(SocketError) -> Descriptor {
    let socket = try openSocket(for: address)
    guard address.family != .unix else { return socket }
    let result = setOption(TCP_NODELAY, level: Int32(IPPROTO_TCP), to: 1, on: socket)
    guard result == 0 else {
        closeDescriptor(socket)
        throw SocketError(operation: .configure, address: address, errno: result)
    }
    return socket
}

/// Nil when the socket is not connected any more.
package func peerAddress(of socket: Descriptor) -> SocketAddress? {
    unsafe SocketAddress(filledBy: { unsafe getpeername(socket.number, $0, &$1) })
}

/// `SocketAddress.hostKey` of the peer; that of no address when the socket is not connected any more.
package func peerHostKey(of socket: Descriptor) -> UInt64 { peerAddress(of: socket)?.hostKey ?? 0 }

package func localAddress(of socket: Descriptor) -> SocketAddress? {
    unsafe SocketAddress(filledBy: { unsafe getsockname(socket.number, $0, &$1) })
}

/// Whether it is a UNIX socket. False also for what is no socket.
package func isUnixSocket(_ socket: Descriptor) -> Bool {
    var domain: Int32 = 0
    var byteCount = socklen_t(MemoryLayout<Int32>.size)
    let result = unsafe getsockopt(socket.number, SOL_SOCKET, SO_DOMAIN, &domain, &byteCount)
    return result == 0 && domain == AF_UNIX
}

/// Nil for anything but a connected UNIX socket.
package func peerCredentials(of socket: Descriptor) -> PeerCredentials? {
    var credentials = PeerCredentials(pid: 0, uid: 0, gid: 0)
    var byteCount = socklen_t(MemoryLayout<PeerCredentials>.size)
    let result = unsafe getsockopt(socket.number, SOL_SOCKET, SO_PEERCRED, &credentials, &byteCount)
    // Other families answer too, with process 0.
    return result == 0 && credentials.pid != 0 ? credentials : nil
}

// MARK: Options

/// How much the kernel queues for sending; it takes twice the number, for its own bookkeeping. Accepted sockets inherit
/// it from their listener.
package func setSendBuffer(byteCount: Int, on socket: Descriptor) throws(SystemError) {
    try setOption(SO_SNDBUF, level: SOL_SOCKET, to: Int32(clamping: byteCount), on: socket, "size a send buffer")
}

/// How much the kernel queues of what it received, with the same two remarks.
package func setReceiveBuffer(byteCount: Int, on socket: Descriptor) throws(SystemError) {
    try setOption(SO_RCVBUF, level: SOL_SOCKET, to: Int32(clamping: byteCount), on: socket, "size a receive buffer")
}

/// Let the kernel size a send buffer by itself again, as it does for sockets that nobody set one on.
package func releaseSendBuffer(on socket: Descriptor) throws(SystemError) {
    // SO_BUF_LOCK, which the C library has no name for yet; Linux 5.14.
    try setOption(72, level: SOL_SOCKET, to: 0, on: socket, "let the kernel size a send buffer")
}

/// How many bytes a TCP socket takes for sending beyond what is on its way; 0 is the system's default. Inherited
/// likewise.
package func setNotSentLowWater(byteCount: Int, on socket: Descriptor) throws(SystemError) {
    try setOption(
        TCP_NOTSENT_LOWAT, level: Int32(IPPROTO_TCP), to: Int32(clamping: byteCount), on: socket,
        "limit the bytes that wait to be sent")
}

/// How long a TCP peer may leave data unacknowledged before the kernel gives the connection up. Inherited likewise.
package func setUserTimeout(_ timeout: Nanoseconds, on socket: Descriptor) throws(SystemError) {
    let milliseconds = Int32(clamping: timeout / .millisecond)
    try setOption(TCP_USER_TIMEOUT, level: Int32(IPPROTO_TCP), to: milliseconds, on: socket, "set a TCP user timeout")
}

private func setOption(
    _ option: Int32, level: Int32, to value: Int32, on socket: Descriptor, _ attempt: String
) throws(SystemError) {
    let result = setOption(option, level: level, to: value, on: socket)
    guard result == 0 else { throw SystemError(attempt, errno: result) }
}

/// Zero, or the errno.
func setOption(_ option: Int32, level: Int32, to value: Int32, on socket: Descriptor) -> Int32 {
    var value = value
    let byteCount = socklen_t(MemoryLayout<Int32>.size)
    return unsafe setsockopt(socket.number, level, option, &value, byteCount) == 0 ? 0 : errno
}

// MARK: Plumbing

/// - Parameter flags: besides closing on `exec`.
func openSocket(for address: SocketAddress, flags: Int32 = 0) throws(SocketError) -> Descriptor {
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | flags
    let number = socket(address.domain, kind, 0)
    guard number >= 0 else { throw SocketError(operation: .open, address: address, errno: errno) }
    return Descriptor(number)
}

package func closeDescriptor(_ descriptor: Descriptor) {
    // Its result says nothing we could act on: Linux frees the number whatever it returns.
    _ = Glibc.close(descriptor.number)
}
