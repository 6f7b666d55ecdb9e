// The file that stands for a UNIX socket: who has it, and whether it is still ours.

import Glibc

package struct SocketFile: Equatable, Sendable {
    /// Nobody but this user.
    static let mode: mode_t = 0o600

    package let path: String
    private let device: UInt64
    private let inode: UInt64

    /// Nil when there is no socket at `path`.
    package init?(at path: String) {
        guard let status = fileStatus(of: path), status.st_mode & S_IFMT == S_IFSOCK else { return nil }
        self.path = path
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
    }

    /// Remove the file, unless another socket or anything else stands there by now. To be called before the socket is
    /// closed: until then no other file gets its inode.
    package func removeIfOurs() {
        guard SocketFile(at: path) == self else { return }
        // Somebody else removed it in between, or the directory has become read-only: either way nothing is left to do.
        _ = unsafe unlink(path)
    }

    /// Remove the file if nobody listens behind it any more, for a socket that another process may hold too. To be
    /// called when ours are closed: while one is open it answers, whoever has it.
    package func removeIfAbandoned() {
        do {
            if try SocketFile.isStale(SocketAddress(unixPath: path)) { removeIfOurs() }
        } catch {
            // No descriptor for asking: a file too many does no harm, and the next one who binds clears it.
        }
    }

    /// Make room for `address`, a UNIX path: remove what a crashed server left behind. What a live one answers on is in
    /// use, and what is no socket is not ours to remove.
    static func clearStale(for address: SocketAddress) throws(SocketError) {
        guard let path = address.unixPath, let status = fileStatus(of: path) else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw SocketError(operation: .bind, address: address, errno: ENOTSOCK)
        }
        guard try isStale(address) else { throw SocketError(operation: .bind, address: address, errno: EADDRINUSE) }
        guard unsafe unlink(path) == 0 || errno == ENOENT else {
            throw SocketError(operation: .bind, address: address, errno: errno)
        }
    }

    /// Only a refusal says that nobody listens: a full backlog (EAGAIN), a datagram socket (EPROTOTYPE) or a missing
    /// permission (EACCES) all mean that somebody may.
    private static func isStale(_ address: SocketAddress) throws(SocketError) -> Bool {
        let probe = try openSocket(for: address, flags: Int32(SOCK_NONBLOCK.rawValue))
        defer { closeDescriptor(probe) }
        let result = unsafe address.withSockaddr { unsafe connect(probe.number, $0, $1) }
        return result != 0 && (errno == ECONNREFUSED || errno == ENOENT)
    }
}

/// Of the path itself, not of what a symbolic link leads to.
private func fileStatus(of path: String) -> stat? {
    var status = stat()
    return unsafe lstat(path, &status) == 0 ? status : nil
}
