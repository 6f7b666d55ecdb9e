// Waiting for what another thread does, without saying how long it takes.

import Glibc

/// How long a test waits for what must happen before it fails: far more than a loaded machine needs.
package let patienceSeconds = 30

/// True as soon as `condition` holds; false when it never did.
package func eventually(_ condition: () -> Bool) -> Bool {
    let pauseMicroseconds: UInt32 = 1_000
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    deadline.tv_sec += patienceSeconds
    while !condition() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        if now.tv_sec > deadline.tv_sec { return false }
        usleep(pauseMicroseconds)
    }
    return true
}
