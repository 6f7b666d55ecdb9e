// Sockets that take connections: TCP over IPv4 and IPv6, and UNIX.

import Glibc

/// The sockets of one address: over TCP one for each shard, over UNIX a single one.
package struct Listeners: Sendable {
    package let descriptors: [Descriptor]
    /// With the port that the kernel chose, if it was left to it.
    package let address: SocketAddress
    /// What stands for a UNIX socket in the file system.
    package let file: SocketFile?

    /// Open `count` sockets for a TCP address, between which the kernel divides connections, or one for a UNIX path.
    package static func open(
        at address: SocketAddress, count: Int, backlog: Int32 = 4096
    ) throws(SocketError) -> Listeners {
        precondition(count > 0, "no listener")
        let isShared = count > 1 && address.family != .unix
        if isShared, address.port != 0 { try probe(address) }
        let first = try openListener(address, reusePort: isShared, backlog: backlog)
        var opened = [first]
        do throws(SocketError) {
            guard let bound = boundAddress(of: first) else {
                throw SocketError(operation: .inspect, address: address, errno: errno)
            }
            while isShared, opened.count < count {
                opened.append(try openListener(bound, reusePort: true, backlog: backlog))
            }
            return Listeners(descriptors: opened, address: bound, file: bound.unixPath.flatMap(SocketFile.init(at:)))
        } catch {
            opened.forEach(closeDescriptor)
            throw error
        }
    }

    /// Sockets that are bound and listen already, as many as there are; nothing is probed. They are ours from here on,
    /// also when this fails.
    package static func adopt(_ descriptors: [Descriptor]) throws(InheritedSocketError) -> Listeners {
        precondition(!descriptors.isEmpty, "no listener")
        do throws(InheritedSocketError) {
            var addresses: [SocketAddress] = []
            for descriptor in descriptors { addresses.append(try ApusReactor.adopt(descriptor)) }
            let file = addresses[0].unixPath.flatMap(SocketFile.init(at:))
            return Listeners(descriptors: descriptors, address: addresses[0], file: file)
        } catch {
            descriptors.forEach(closeDescriptor)
            throw error
        }
    }

    /// Stop listening; a UNIX path is removed, if it is still ours.
    package func close() {
        // First the path: while the socket is open, no other file can have its inode.
        file?.removeIfOurs()
        descriptors.forEach(closeDescriptor)
    }

    /// Other descriptors of the same sockets.
    package func copied() throws(SystemError) -> Listeners {
        Listeners(descriptors: try duplicate(descriptors), address: address, file: file)
    }

    /// Close the sockets and leave the path.
    package func closeSockets() { descriptors.forEach(closeDescriptor) }

    /// Remove the path and leave the sockets, for one who hands `descriptors` to rings that close them.
    package func removeFile() { file?.removeIfOurs() }

    /// Sockets that share a port let any other such socket of the same user in: a second server would take every other
    /// connection, and neither would notice. One that does not share tells whether the port is free. For port 0 the
    /// kernel picks a port that nobody has.
    private static func probe(_ address: SocketAddress) throws(SocketError) {
        closeDescriptor(try openListener(address, reusePort: false, backlog: 1))
    }
}

/// A listening socket. An IPv6 address means IPv6 only, so that `0.0.0.0` and `[::]` can be opened side by side and
/// peers over IPv4 are always seen with their IPv4 address.
/// - Parameters:
///   - reusePort: share the port with other sockets that do; without meaning for a UNIX path.
///   - backlog: connections that may wait to be accepted; the kernel caps it at net.core.somaxconn.
package func openListener(
    _ address: SocketAddress, reusePort: Bool, backlog: Int32
) throws(SocketError) -> Descriptor {
    let socket = try openSocket(for: address)
    do throws(SocketError) {
        switch address.family {
        case .unix: try prepareUnixListener(socket, for: address)
        case .ipv4, .ipv6, nil: try prepareTCPListener(socket, for: address, reusePort: reusePort)
        }
        let bound = unsafe address.withSockaddr { unsafe bind(socket.number, $0, $1) }
        guard bound == 0 else { throw SocketError(operation: .bind, address: address, errno: errno) }
        guard listen(socket.number, backlog) == 0 else {
            throw SocketError(operation: .listen, address: address, errno: errno)
        }
        return socket
    } catch {
        closeDescriptor(socket)
        throw error
    }
}

/// Where a listener is bound; of use when its port was left to the kernel. Nil for what is no socket.
package func boundAddress(of listener: Descriptor) -> SocketAddress? { localAddress(of: listener) }

private func prepareTCPListener(
    _ socket: Descriptor, for address: SocketAddress, reusePort: Bool
) throws(SocketError) {
    var options = [
        // Connections of an earlier run that still linger must not keep us from starting.
        (SOL_SOCKET, SO_REUSEADDR),
        // Accepted sockets inherit it. Without it, replies wait for the peer's delayed acknowledgements.
        (Int32(IPPROTO_TCP), TCP_NODELAY),
    ]
    if reusePort { options.append((SOL_SOCKET, SO_REUSEPORT)) }
    if address.family == .ipv6 { options.append((Int32(IPPROTO_IPV6), IPV6_V6ONLY)) }
    for (level, option) in options {
        let result = setOption(option, level: level, to: 1, on: socket)
        guard result == 0 else { throw SocketError(operation: .configure, address: address, errno: result) }
    }
}

private func prepareUnixListener(_ socket: Descriptor, for address: SocketAddress) throws(SocketError) {
    try SocketFile.clearStale(for: address)
    // The file is born with the socket's mode, less the umask: there is no moment in which others could connect, and
    // no second look at a path that somebody may have exchanged.
    guard fchmod(socket.number, SocketFile.mode) == 0 else {
        throw SocketError(operation: .configure, address: address, errno: errno)
    }
}
