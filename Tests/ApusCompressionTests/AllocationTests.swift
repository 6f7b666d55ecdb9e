// No allocation once a context exists. The allocator is counted by a small library that is loaded before all others, so
// this test runs itself once more, as a process with that library.

import ApusCompression
import Foundation
import Glibc
import TestSupport
import Testing

struct AllocationTests {
    @Test func aContextAllocatesAtItsStartOnly() throws {
        if let count = AllocationCount.function {
            for algorithm in CompressionAlgorithm.allCases {
                for level in algorithm.levels { try expectNone(algorithm, level: level, count) }
            }
        } else {
            try AllocationCount.runAgain(filter: "aContextAllocatesAtItsStartOnly")
        }
    }

    /// Each operation twice, and the second time counted. No refusal by a throw: the testing library notes where each
    /// error is thrown, which allocates.
    private func expectNone(
        _ algorithm: CompressionAlgorithm, level: Int, _ count: AllocationCount.Function
    ) throws {
        let (plain, random) = (Samples.json(byteCount: 20_000), Samples.random(byteCount: 20_000))
        let compressed = try compress(plain, algorithm)
        var target = [UInt8](repeating: 0, count: 30_000)
        var compressor = try Compressor(algorithm, level: level, byteCountMax: 30_000)
        var decompressor = Decompressor(algorithm, byteCountMax: 30_000)
        target.withUnsafeMutableBytes { target in
            for isCounted in [false, true] {
                let before = count()
                _ = compressor.compress(plain.span.bytes, into: target)
                _ = compressor.compress(plain.span.bytes.extracting(0..<100), into: target)
                _ = compressor.compress(random.span.bytes, into: target)
                let isDecompressed = decompressor.decompresses(compressed.span.bytes, into: target)
                _ = Compression.isWorthTrying(plain.span.bytes, with: algorithm)
                _ = Compression.isWorthTrying(random.span.bytes, with: algorithm)
                let allocations = count() - before
                #expect(isDecompressed)
                #expect(!isCounted || allocations == 0, "\(algorithm), level \(level)")
            }
        }
    }
}

extension Decompressor {
    fileprivate mutating func decompresses(
        _ source: RawSpan, into target: UnsafeMutableRawBufferPointer
    ) -> Bool {
        do throws(CompressionError) {
            return try decompress(source, into: target) >= 0
        } catch {
            return false
        }
    }
}

private enum AllocationCount {
    typealias Function = @convention(c) () -> Int

    /// How often this thread has called the allocator; nil when nobody counts.
    static var function: Function? {
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
    static func runAgain(filter: String) throws {
        let folder = try TemporaryFolder()
        let (source, library) = (folder.file("count.c"), folder.file("count.so"))
        try Data(AllocationCount.library.utf8).write(to: URL(fileURLWithPath: source))
        let compiler = ["/usr/bin/cc", "/usr/bin/clang"].first(where: FileManager.default.isExecutableFile(atPath:))
        guard let compiler else { return print("left out: counting allocations, since there is no C compiler") }
        #expect(try run(compiler, ["-shared", "-fPIC", "-O1", "-o", library, source]).status == 0)
        let arguments = ["--testing-library", "swift-testing", "--filter", filter]
        let runner = try run("/proc/self/exe", arguments, environment: ["LD_PRELOAD": library])
        #expect(runner.status == 0, "\(runner.output)")
        #expect(runner.output.contains("Test run with 1 test "), "\(runner.output)")
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
