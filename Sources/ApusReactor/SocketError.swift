// Why a socket could not be set up: what was attempted, where, and what to do about it.

import Glibc

package struct SocketError: Error, Equatable, CustomStringConvertible {
    /// The raw value reads between "Cannot" and an address.
    package enum Operation: String, Sendable {
        case open = "open a socket for"
        case configure = "set the options of the socket for"
        case bind = "bind"
        case listen = "listen on"
        case inspect = "read the address bound for"
    }

    package let operation: Operation
    package let address: SocketAddress
    package let errno: Int32

    package init(operation: Operation, address: SocketAddress, errno: Int32) {
        self.operation = operation
        self.address = address
        self.errno = errno
    }

    package var description: String {
        "Cannot \(operation.rawValue) \(address): \(errorText(errno))\(advice)."
    }

    private var advice: String {
        switch errno {
        case EADDRINUSE where address.family == .unix:
            "; a program answers there (ss -lxp shows which): stop it, or choose another path"
        case EADDRINUSE:
            "; another program has the port (ss -ltnp shows which): stop it, or choose another port"
        case EADDRNOTAVAIL:
            "; no interface of this machine has the address (ip addr lists them), or its ports are used up"
        case EACCES where address.family == .unix, EROFS:
            "; this user may not create files in that directory: choose another path, or change its permissions"
        case EACCES:
            "; ports below 1024 need the capability CAP_NET_BIND_SERVICE: grant it, or choose a higher port"
        case ENOTSOCK:
            "; a file that is no socket has that path, and is left alone: move it away, or choose another path"
        case ENOENT, ENOTDIR:
            "; the directory does not exist: create it, or choose another path"
        case EAFNOSUPPORT:
            "; this kernel has that address family switched off: use another one"
        case EMFILE, ENFILE:
            "; raise the nofile limit (ulimit -n, LimitNOFILE=)"
        default:
            ""
        }
    }
}
