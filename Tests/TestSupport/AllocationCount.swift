// How often a thread calls the allocator, which is counted by a small library that is loaded before all others: a test
// runs itself once more, as a process with that library.

import Foundation
import Glibc

package enum AllocationCount {
    package typealias Function = @convention(c) () -> Int

    /// How often this thread has called the allocator; nil when nobody counts.
    package static var function: Function? {
        dlsym(nil, "apus_allocation_count").map { unsafeBitCast($0, to: Function.self) }
    }

    private static let library = """
        #include <stddef.h>
        extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
        extern void *__libc_memalign(size_t, size_t);
        static __thread long count __attribute__((tls_model("initial-exec")));
        long apus_allocation_count(void) { return count; }
        void *malloc(size_t size) { count++; return __libc_malloc(size); }
        void *calloc(size_t n, size_t size) { count++; return __libc_calloc(n, size); }
        void *realloc(void *old, size_t size) { count++; return __libc_realloc(old, size); }
        void *aligned_alloc(size_t alignment, size_t size) { count++; return __libc_memalign(alignment, size); }
        int posix_memalign(void **out, size_t alignment, size_t size) {
            count++;
            *out = __libc_memalign(alignment, size);
            return *out ? 0 : 12;
        }
        """

    /// Run the tests that `filter` matches in a process whose allocator counts.
    package static func runAgain(filter: String) throws {
        let folder = try TemporaryFolder()
        let (source, library) = (folder.file("count.c"), folder.file("count.so"))
        try Data(AllocationCount.library.utf8).write(to: URL(fileURLWithPath: source))
        let compiler = ["/usr/bin/cc", "/usr/bin/clang"].first(where: FileManager.default.isExecutableFile(atPath:))
        guard let compiler else { return print("left out: counting allocations, since there is no C compiler") }
        let compiled = try run(compiler, ["-shared", "-fPIC", "-O1", "-o", library, source])
        guard compiled.status == 0 else { throw Failed(output: compiled.output) }
        let arguments = ["--testing-library", "swift-testing", "--filter", filter]
        let runner = try run("/proc/self/exe", arguments, environment: ["LD_PRELOAD": library])
        guard runner.status == 0, runner.output.contains("Test run with 1 test ") else {
            throw Failed(output: runner.output)
        }
    }

    struct Failed: Error {
        let output: String
    }

    private static func run(
        _ program: String, _ arguments: [String], environment: [String: String] = [:]
    ) throws -> (status: Int32, output: String) {
        let (process, output) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: program).resolvingSymlinksInPath()
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }
}
