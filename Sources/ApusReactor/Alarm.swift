// One thread sleeps until another rings, or until its time is up.

import Glibc

package final class Alarm: Sendable {
    private let wake: WakeDescriptor

    package init() throws(SystemError) { wake = try WakeDescriptor() }

    package func ring() { wake.wake() }

    /// Sleep until somebody has rung since the last call; false when the time was up first.
    @discardableResult
    package func wait(milliseconds: Int32) -> Bool {
        var interest = pollfd(fd: wake.descriptor.number, events: Int16(POLLIN), revents: 0)
        // An interrupted wait looks like one whose time was up; whoever waits looks at what there is anyhow.
        guard unsafe poll(&interest, 1, milliseconds) > 0 else { return false }
        var count: UInt64 = 0
        // Readable, and this thread alone reads: it does not block.
        return unsafe read(wake.descriptor.number, &count, MemoryLayout<UInt64>.size) > 0
    }
}
