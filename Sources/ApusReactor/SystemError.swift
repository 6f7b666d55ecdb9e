// A system call that failed while something was being set up. What fails on the loop has reactions of its own.

import Glibc

public struct SystemError: Error, Equatable, CustomStringConvertible {
    /// What was being attempted, as the object of "cannot": `start the thread shard-0`.
    public let attempt: String
    public let errno: Int32

    public init(_ attempt: String, errno: Int32) {
        self.attempt = attempt
        self.errno = errno
    }

    public var description: String {
        "Cannot \(attempt): \(errorText(errno))\(SystemError.advice(for: errno))."
    }

    private static func advice(for errno: Int32) -> String {
        switch errno {
        case EMFILE, ENFILE: "; raise the nofile limit (ulimit -n, LimitNOFILE=)"
        case ENOMEM: "; lower the limits, or allow more address space (ulimit -v, sysctl vm.overcommit_memory)"
        case EAGAIN: "; raise the limit of processes (ulimit -u, TasksMax=)"
        default: ""
        }
    }
}
