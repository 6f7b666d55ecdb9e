// One thread sleeps until another rings, or until its time is up.

import Glibc

/// Two sockets, since they, unlike a pipe, can be made so that no child inherits them: a byte between them is a ring
/// that nobody has heard yet.
final class Bell: Sendable {
    private let reader: Int32
    private let writer: Int32

    init() throws(LogError) {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw .noThread(errno) }
        (reader, writer) = (ends[0], ends[1])
    }

    deinit {
        close(reader)
        close(writer)
    }

    func ring() {
        var byte: UInt8 = 0
        // Full: it has been rung and not been heard, which is as good.
        _ = write(writer, &byte, 1)
    }

    /// Sleep until somebody has rung since the last call; false when the time was up first.
    /// - Parameter milliseconds: nil: without limit.
    @discardableResult
    func wait(milliseconds: Int32?) -> Bool {
        var interest = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
        // An interrupted wait looks like one whose time was up; whoever waits looks at the state anyhow.
        guard poll(&interest, 1, milliseconds ?? -1) > 0 else { return false }
        var bytes = [UInt8](repeating: 0, count: 64)
        while read(reader, &bytes, bytes.count) == bytes.count {}
        return true
    }
}
