// What a socket is told before it connects, and how a connect fails.

import Glibc

/// How a connect failed, from its result (connect(2)).
package enum ConnectError: Equatable, Sendable {
    /// Nobody listens there: no socket at the port, no file at the path, or a file that no program listens on.
    case refused
    /// Every port of our own address is in use towards that one.
    case noPort
    /// Cancelled by us, or to be tried again.
    case interrupted
    case failed

    package init(_ result: Int32) {
        switch -result {
        case ECONNREFUSED, ENOENT: self = .refused
        case EADDRNOTAVAIL, EADDRINUSE: self = .noPort
        case ECANCELED, EINTR, EAGAIN: self = .interrupted
        default: self = .failed
        }
    }
}

/// A socket that will connect from `source`. Its port should be zero: the kernel chooses one when it connects, and then
/// it may be one that is in use towards somebody else; chosen by `bind` it would have to be free towards everybody.
package func openStream(
    for address: SocketAddress, from source: SocketAddress
) throws(SocketError) -> Descriptor {
    let socket = try openStream(for: address)
    do throws(SocketError) {
        let result = setOption(IP_BIND_ADDRESS_NO_PORT, level: Int32(IPPROTO_IP), to: 1, on: socket)
        guard result == 0 else { throw SocketError(operation: .configure, address: source, errno: result) }
        let bound = unsafe source.withSockaddr { unsafe bind(socket.number, $0, $1) }
        guard bound == 0 else { throw SocketError(operation: .bind, address: source, errno: errno) }
        return socket
    } catch {
        closeDescriptor(socket)
        throw error
    }
}

/// Closing will reset the connection: what is unsent is lost, and no TIME_WAIT keeps the port. For one who has received
/// all that was to come and opens thousands of connections a second.
package func resetWhenClosed(_ socket: Descriptor) throws(SystemError) {
    var option = linger(l_onoff: 1, l_linger: 0)
    let byteCount = socklen_t(MemoryLayout<linger>.size)
    let result = unsafe setsockopt(socket.number, SOL_SOCKET, SO_LINGER, &option, byteCount)
    guard result == 0 else { throw SystemError("make a socket reset when it closes", errno: errno) }
}
