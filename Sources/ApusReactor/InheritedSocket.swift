// Listening sockets that somebody else opened, and copies for somebody else. It never binds and never looks at a port.

import Glibc

/// Another descriptor of the same open file; it closes on `exec`.
package func duplicate(_ descriptor: Descriptor) throws(SystemError) -> Descriptor {
    // Above the standard streams, should one of them be closed.
    let copy = fcntl(descriptor.number, F_DUPFD_CLOEXEC, 3)
    guard copy >= 0 else { throw SystemError("copy the descriptor \(descriptor.number)", errno: errno) }
    return Descriptor(copy)
}

/// All of them, or none.
package func duplicate(_ descriptors: [Descriptor]) throws(SystemError) -> [Descriptor] {
    var copies: [Descriptor] = []
    do throws(SystemError) {
        for descriptor in descriptors { copies.append(try duplicate(descriptor)) }
        return copies
    } catch {
        copies.forEach(closeDescriptor)
        throw error
    }
}

/// Why a descriptor that was handed to us cannot be listened on.
package struct InheritedSocketError: Error, Equatable, CustomStringConvertible {
    package let descriptor: Int32
    package let reason: String

    package var description: String {
        "Cannot listen on the inherited descriptor \(descriptor): \(reason); hand over listening stream sockets only "
            + "(LISTEN_FDS, or an upgrade of this program)."
    }
}

/// Make a socket that is bound and listens already what ours are: it closes on `exec`, accepts block (a ring waits for
/// them, while one that does not block would answer EAGAIN at once), and replies do not wait for acknowledgements.
/// - Returns: where it is bound.
func adopt(_ descriptor: Descriptor) throws(InheritedSocketError) -> SocketAddress {
    let number = descriptor.number
    guard integerOption(SO_ACCEPTCONN, of: descriptor) == 1, let address = boundAddress(of: descriptor) else {
        throw InheritedSocketError(descriptor: number, reason: "it is no listening socket")
    }
    guard integerOption(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue), let family = address.family else {
        throw InheritedSocketError(descriptor: number, reason: "it carries no streams over TCP or UNIX")
    }
    let flags = fcntl(number, F_GETFL)
    let isPrepared = fcntl(number, F_SETFD, FD_CLOEXEC) == 0 && flags >= 0
        && fcntl(number, F_SETFL, flags & ~O_NONBLOCK) == 0
    guard isPrepared else { throw InheritedSocketError(descriptor: number, reason: errorText(errno)) }
    if family != .unix {
        let result = setOption(TCP_NODELAY, level: Int32(IPPROTO_TCP), to: 1, on: descriptor)
        guard result == 0 else { throw InheritedSocketError(descriptor: number, reason: errorText(result)) }
    }
    return address
}

/// Nil for what is no socket.
private func integerOption(_ option: Int32, of socket: Descriptor) -> Int32? {
    var value: Int32 = 0
    var byteCount = socklen_t(MemoryLayout<Int32>.size)
    return unsafe getsockopt(socket.number, SOL_SOCKET, option, &value, &byteCount) == 0 ? value : nil
}
