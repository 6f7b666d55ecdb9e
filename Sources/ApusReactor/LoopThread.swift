// Threads that run a loop: named, on a core of their own when asked, and deaf to signals.

import CURing
import Glibc
import Synchronization

package enum LoopThread {
    /// Start a thread that runs `body` once.
    /// - Parameters:
    ///   - name: what `top -H` shows; the kernel keeps the first 15 bytes.
    ///   - core: the only processor it may run on; any when nil.
    package static func start(
        name: String, core: Int? = nil, _ body: @escaping @Sendable () -> Void
    ) throws(SystemError) -> ThreadHandle {
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        if let core { try pin(&attributes, to: core) }

        let work = unsafe Unmanaged.passRetained(ThreadWork(name: name, body: body))
        var thread = pthread_t()
        let started = withSignalsBlocked {
            unsafe pthread_create(&thread, &attributes, runThread, work.toOpaque())
        }
        guard started == 0 else {
            unsafe work.release()
            throw SystemError("start the thread \(name)\(core.map { " on core \($0)" } ?? "")", errno: started)
        }
        return ThreadHandle(thread)
    }

    /// The processors this process may run on, ascending.
    package static var usableCores: [Int] {
        var set = cpu_set_t()
        guard unsafe sched_getaffinity(0, MemoryLayout<cpu_set_t>.size, &set) == 0 else { return [0] }
        return unsafe withUnsafeBytes(of: &set) { bits in
            (0..<bits.count * 8).filter { core in unsafe bits[core / 8] & 1 << (core % 8) != 0 }
        }
    }

    private static func pin(_ attributes: inout pthread_attr_t, to core: Int) throws(SystemError) {
        var set = cpu_set_t()
        let exists = unsafe withUnsafeMutableBytes(of: &set) { bits in
            guard core >= 0, core / 8 < bits.count else { return false }
            // The kernel's bit order on little-endian machines, which are the ones Swift runs on.
            unsafe bits[core / 8] = 1 << (core % 8)
            return true
        }
        let pinned = unsafe pthread_attr_setaffinity_np(&attributes, MemoryLayout<cpu_set_t>.size, &set)
        guard exists, pinned == 0 else { throw SystemError("pin a thread to core \(core)", errno: EINVAL) }
    }

    /// A new thread inherits the mask, so there is no moment in which it could take a signal. Those that report a
    /// thread's own fault stay open: blocked, they would kill the process without a trace of where.
    private static func withSignalsBlocked(_ create: () -> Int32) -> Int32 {
        var mask = sigset_t()
        var previous = sigset_t()
        unsafe sigfillset(&mask)
        for fault in [SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT] { unsafe sigdelset(&mask, fault) }
        unsafe pthread_sigmask(SIG_SETMASK, &mask, &previous)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &previous, nil) }
        return create()
    }
}

/// A thread that has been started. One that nobody joins runs on, and its memory is freed when it ends.
package final class ThreadHandle: Sendable {
    private let thread: pthread_t
    private let joined = Atomic(false)

    fileprivate init(_ thread: pthread_t) { self.thread = thread }

    deinit {
        if !joined.load(ordering: .relaxed) { pthread_detach(thread) }
    }

    /// Wait until the thread has ended. Once only.
    package func join() {
        precondition(!joined.exchange(true, ordering: .relaxed), "a thread was joined twice")
        let result = pthread_join(thread, nil)
        precondition(result == 0, "pthread_join: \(errorText(result))")
    }
}

/// What travels through `pthread_create`'s pointer.
private final class ThreadWork: Sendable {
    let name: String
    let body: @Sendable () -> Void

    init(name: String, body: @escaping @Sendable () -> Void) {
        self.name = name
        self.body = body
    }
}

private func runThread(_ work: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let work = unsafe work else { return nil }
    // `start` retained it for this thread, which takes it over.
    let taken = unsafe Unmanaged<ThreadWork>.fromOpaque(work).takeRetainedValue()
    let name = String(decoding: taken.name.utf8.prefix(15), as: UTF8.self)
    // A nameless thread runs as well.
    _ = unsafe pthread_setname_np(pthread_self(), name)
    taken.body()
    return nil
}
