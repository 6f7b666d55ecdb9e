// What threads and processes have used of processors and memory. For measuring: loops have no time to read /proc.

import Glibc

/// Processor time, and how it divides into the program's own and the kernel's work for it.
package struct CPUTime: Equatable, BitwiseCopyable, Sendable {
    package var user: Nanoseconds
    package var system: Nanoseconds

    package init(user: Nanoseconds, system: Nanoseconds) {
        self.user = user
        self.system = system
    }

    package var total: Nanoseconds { user + system }

    /// `total` divided as the samples of the clock's ticks say; all of it the program's when there are no samples.
    package init(total: Nanoseconds, userTicks: UInt64, systemTicks: UInt64) {
        let ticks = userTicks + systemTicks
        let (high, low) = total.multipliedFullWidth(by: systemTicks)
        system = ticks == 0 ? 0 : ticks.dividingFullWidth((high, low)).quotient
        user = total - system
    }

    package static func - (later: CPUTime, earlier: CPUTime) -> CPUTime {
        CPUTime(
            user: later.user > earlier.user ? later.user - earlier.user : 0,
            system: later.system > earlier.system ? later.system - earlier.system : 0)
    }
}

/// What a process has used since it started.
package struct ProcessCPU: Equatable, BitwiseCopyable, Sendable {
    /// Exact: the scheduler's count for the threads that live.
    package var total: Nanoseconds
    /// Sampled, a hundred times a second on most kernels.
    package var userTicks: UInt64
    package var systemTicks: UInt64

    package init(total: Nanoseconds, userTicks: UInt64, systemTicks: UInt64) {
        self.total = total
        self.userTicks = userTicks
        self.systemTicks = systemTicks
    }

    /// What was used since `earlier`: the exact total, divided as the ticks in between say. No thread may have ended in
    /// between, for its share of the exact count went with it.
    package func since(_ earlier: ProcessCPU) -> CPUTime {
        CPUTime(
            total: total > earlier.total ? total - earlier.total : 0,
            userTicks: userTicks > earlier.userTicks ? userTicks - earlier.userTicks : 0,
            systemTicks: systemTicks > earlier.systemTicks ? systemTicks - earlier.systemTicks : 0)
    }
}

/// A process that is gone, or that is not ours to look at.
package struct ProcessUnreadable: Error, Equatable, CustomStringConvertible {
    package let path: String

    package init(path: String) { self.path = path }

    package var description: String {
        "\(path) cannot be read: there is no such process, or it belongs to another user."
    }
}

/// What the calling thread has used: the clock's exact total, divided as the kernel's accounting says.
package func threadCPU() -> CPUTime {
    var usage = rusage()
    // RUSAGE_THREAD is a GNU name, which Swift's Glibc module leaves out.
    unsafe getrusage(1, &usage)
    var clock = timespec()
    unsafe clock_gettime(CLOCK_THREAD_CPUTIME_ID, &clock)
    let total = UInt64(clock.tv_sec) * .second + UInt64(clock.tv_nsec)
    return CPUTime(total: total, userTicks: microseconds(usage.ru_utime), systemTicks: microseconds(usage.ru_stime))
}

/// What a process has used: its threads' `schedstat`, and the ticks of its `stat`.
package func processCPU(of pid: Int32) throws(ProcessUnreadable) -> ProcessCPU {
    // The name in parentheses may contain anything; what follows its end are fields from the third on.
    let path = "/proc/\(pid)/stat"
    let stat = try textFile(path)
    guard let name = stat.lastIndex(of: ")") else { throw ProcessUnreadable(path: path) }
    let fields = stat[stat.index(after: name)...].split(separator: " ")
    guard fields.count > 12, let user = UInt64(fields[11]), let system = UInt64(fields[12]) else {
        throw ProcessUnreadable(path: path)
    }
    return ProcessCPU(total: try threadsTotal(of: pid), userTicks: user, systemTicks: system)
}

/// What each living thread of a process has used since it started, by the thread's number: the scheduler's count, which
/// is exact for a thread that is asleep.
package func threadCPU(of pid: Int32) throws(ProcessUnreadable) -> [String: Nanoseconds] {
    var used: [String: Nanoseconds] = [:]
    for thread in try directoryEntries("/proc/\(pid)/task") {
        // A thread may end between the listing and the reading: what it used is no longer counted anywhere exact.
        guard let line = readable("/proc/\(pid)/task/\(thread)/schedstat") else { continue }
        used[thread] = line.split(separator: " ").first.flatMap { Nanoseconds($0) } ?? 0
    }
    return used
}

/// The anonymous and shared memory of a process that is resident: what it allocated and touched. Pages of the program's
/// and its libraries' files are left out, for the system shares and drops them as it likes.
package func residentByteCount(of pid: Int32) throws(ProcessUnreadable) -> Int {
    // The kernel walks the pages to write this file; the counters in `status` may lag behind by many pages per thread.
    let path = "/proc/\(pid)/smaps_rollup"
    let rollup = try textFile(path)
    guard let anonymous = kibibytes(of: "Anonymous:", in: rollup),
        let shared = kibibytes(of: "Pss_Shmem:", in: rollup)
    else { throw ProcessUnreadable(path: path) }
    return (anonymous + shared) * 1024
}

/// All memory of a process that is resident, pages that others map too divided among them (Pss).
package func proportionalByteCount(of pid: Int32) throws(ProcessUnreadable) -> Int {
    let path = "/proc/\(pid)/smaps_rollup"
    guard let proportional = kibibytes(of: "Pss:", in: try textFile(path)) else { throw ProcessUnreadable(path: path) }
    return proportional * 1024
}

// MARK: Reading /proc

private func microseconds(_ time: timeval) -> UInt64 {
    UInt64(time.tv_sec) * 1_000_000 + UInt64(time.tv_usec)
}

private func threadsTotal(of pid: Int32) throws(ProcessUnreadable) -> Nanoseconds {
    try threadCPU(of: pid).values.reduce(0, +)
}

private func kibibytes(of field: String, in text: String) -> Int? {
    let line = text.split(separator: "\n").first { $0.hasPrefix(field) }
    return line.flatMap { Int($0.dropFirst(field.count).split(separator: " ").first ?? "") }
}

private func textFile(_ path: String) throws(ProcessUnreadable) -> String {
    guard let text = readable(path) else { throw ProcessUnreadable(path: path) }
    return text
}

/// The whole of a file; nil when it cannot be opened or read.
func readable(_ path: String) -> String? {
    guard let file = unsafe fopen(path, "re") else { return nil }
    defer { unsafe fclose(file) }
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 4096)
    while true {
        let count = unsafe fread(&piece, 1, piece.count, file)
        guard count > 0 else { break }
        bytes += piece.prefix(count)
    }
    return unsafe ferror(file) == 0 ? String(decoding: bytes, as: UTF8.self) : nil
}

/// Names without a leading dot.
private func directoryEntries(_ path: String) throws(ProcessUnreadable) -> [String] {
    guard let directory = unsafe opendir(path) else { throw ProcessUnreadable(path: path) }
    defer { unsafe closedir(directory) }
    // Imported without it, the structure would have no names at all.
    guard let nameOffset = MemoryLayout<dirent>.offset(of: \.d_name) else { throw ProcessUnreadable(path: path) }
    var names: [String] = []
    while let entry = unsafe readdir(directory) {
        // Where it lies, because an entry is only as long as its name: a copy of the whole structure would read on.
        let name = unsafe String(cString: (UnsafeRawPointer(entry) + nameOffset).assumingMemoryBound(to: CChar.self))
        if !name.hasPrefix(".") { names.append(name) }
    }
    return names
}
