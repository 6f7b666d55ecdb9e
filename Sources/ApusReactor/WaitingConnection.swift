// Accepting without a ring, for a listener that is about to be closed while others may go on with its socket.

import CURing
import Glibc

/// A connection that waits at a listener; nil when none does, or none can be had.
///
/// Another process may take it between the look and the accept. The accept would then wait for the next connection,
/// since the socket blocks, and whether it does is the other's as well as ours; so it waits for as short a time as the
/// kernel can (a tick). Rings do not look at that option.
func acceptWaiting(on listener: Descriptor) -> Descriptor? {
    var entry = pollfd(fd: listener.number, events: Int16(POLLIN), revents: 0)
    guard unsafe poll(&entry, 1, 0) == 1 else { return nil }
    var shortest = timeval(tv_sec: 0, tv_usec: 1)
    let byteCount = socklen_t(MemoryLayout<timeval>.size)
    guard unsafe setsockopt(listener.number, SOL_SOCKET, SO_RCVTIMEO, &shortest, byteCount) == 0 else { return nil }
    let accepted = curing_accept_now(listener.number)
    return accepted >= 0 ? Descriptor(accepted) : nil
}
