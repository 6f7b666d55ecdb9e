// Threads for tests that block. The cooperative pool has one thread a core: a test that blocked one of those would keep
// asynchronous handlers, and other tests, from running.

import Foundation

/// Runs each job on a thread of its own. The task stays the same, so failed expectations are counted for its test.
package final class BlockingThreads: TaskExecutor {
    package static let shared = BlockingThreads()

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        Thread.detachNewThread { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// Run `body` where it may block.
package func blocking<Result: Sendable>(_ body: () throws -> Result) async throws -> Result {
    try await withTaskExecutorPreference(BlockingThreads.shared) { try body() }
}

/// A function on a thread of its own, and its result when it has returned.
package final class Background<Result: Sendable>: @unchecked Sendable {
    // Written once before the semaphore is raised, read once after it was waited for.
    private var result: Swift.Result<Result, any Error>?
    private let done = DispatchSemaphore(value: 0)

    package init(_ body: @escaping @Sendable () throws -> Result) {
        Thread.detachNewThread {
            self.result = Swift.Result { try body() }
            self.done.signal()
        }
    }

    /// What it returned, or threw. To be asked once.
    package func value() throws -> Result {
        done.wait()
        guard let result else { preconditionFailure("raised only with a result") }
        return try result.get()
    }
}
