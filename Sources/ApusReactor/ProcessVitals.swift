// What this process and its threads are using right now, cheap enough to be asked for every second. Never on a loop.

import CURing
import Glibc

/// The time of every loop's clock, for threads that have no ring.
package func monotonicNow() -> Instant {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return Instant(nanoseconds: nanoseconds(of: time))
}

package func processNumber() -> Int32 { getpid() }

/// The kernel's number of the calling thread, by which others ask for its processor time.
package func threadNumber() -> Int32 { gettid() }

/// The processor time that a thread of this process has used, in the program and in the kernel; nil when it has ended.
package func processorTime(ofThread number: Int32) -> Nanoseconds? {
    guard number > 0 else { return nil }
    // The kernel's layout of a clock's number: the thread's, inverted, then "of one thread" (4) and "scheduled" (2).
    let clock = ~clockid_t(number) << 3 | 4 | 2
    var time = timespec()
    guard unsafe clock_gettime(clock, &time) == 0 else { return nil }
    return nanoseconds(of: time)
}

/// The processor time of the whole process, of threads that have ended too.
package func processorTime() -> Nanoseconds {
    var time = timespec()
    unsafe clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return nanoseconds(of: time)
}

/// Resident memory as `top` shows it, pages of files included; nil where /proc is missing.
package func residentByteCount() -> Int? {
    guard let text = readable("/proc/self/statm") else { return nil }
    let fields = text.split(separator: " ")
    guard fields.count > 1, let pages = Int(fields[1]) else { return nil }
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
}

/// Open descriptors, but for the one that counts them; nil where /proc is missing.
package func openDescriptorCount() -> Int? {
    // Since Linux 6.2 the folder's size says it; before, somebody has to count, which ten thousand make slow.
    var status = stat()
    if unsafe stat("/proc/self/fd", &status) == 0, status.st_size > 0 { return Int(status.st_size) }
    return countDescriptors()
}

private func countDescriptors() -> Int? {
    guard let directory = unsafe opendir("/proc/self/fd") else { return nil }
    defer { unsafe closedir(directory) }
    var count = 0
    while unsafe readdir(directory) != nil { count += 1 }
    // Its own, and the names `.` and `..`.
    return max(0, count - 3)
}

/// Neither part of a clock's time is negative, and 2^64 ns are 584 years.
private func nanoseconds(of time: timespec) -> Nanoseconds {
    UInt64(time.tv_sec) &* .second &+ UInt64(time.tv_nsec)
}
