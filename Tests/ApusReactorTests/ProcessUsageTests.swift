import ApusReactor
import Glibc
import Testing

@Suite struct ProcessUsageTests {
    /// Work until the calling thread has used `time` more.
    private static func burn(_ time: Nanoseconds) {
        let start = threadCPU().total
        while threadCPU().total - start < time {}
    }

    @Test func threadPaysForItsOwnWorkAlone() throws {
        let gate = Gate<CPUTime>()
        let thread = try LoopThread.start(name: "burner") {
            Self.burn(20 * .millisecond)
            gate.open(with: threadCPU())
        }
        thread.join()
        #expect(gate.wait().total >= 20 * .millisecond)
    }

    @Test func processPaysForItsThreads() throws {
        let before = try processCPU(of: getpid())
        Self.burn(50 * .millisecond)
        let used = try processCPU(of: getpid()).since(before)
        // The kernel adds a running thread's last stretch at its next tick.
        #expect(used.total >= 30 * .millisecond)
    }

    @Test func residentMemoryGrowsWhenTouched() throws {
        let byteCount = 64 << 20
        let before = try residentByteCount(of: getpid())
        let pages = mmap(nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        let memory = try #require(pages)
        defer { munmap(memory, byteCount) }
        for offset in stride(from: 0, to: byteCount, by: 4096) {
            memory.storeBytes(of: 1, toByteOffset: offset, as: UInt8.self)
        }
        let after = try residentByteCount(of: getpid())
        // Other tests of this process may meanwhile return some.
        #expect(after >= before + byteCount / 2)
    }

    @Test func saysWhenThereIsNoSuchProcess() {
        #expect(throws: ProcessUnreadable(path: "/proc/-1/stat")) { try processCPU(of: -1) }
        #expect(throws: ProcessUnreadable(path: "/proc/-1/smaps_rollup")) { try residentByteCount(of: -1) }
    }

    @Test func ticksDivideTheExactTotal() {
        let divided = CPUTime(total: 1_000, userTicks: 1, systemTicks: 3)
        #expect(divided == CPUTime(user: 250, system: 750))
        #expect(CPUTime(total: 1_000, userTicks: 0, systemTicks: 0) == CPUTime(user: 1_000, system: 0))
        let long = CPUTime(total: .max, userTicks: 1 << 40, systemTicks: 1 << 40)
        #expect(long.total == .max)
    }

    @Test func differencesAreOfBothReadings() {
        let before = ProcessCPU(total: 1_000, userTicks: 10, systemTicks: 10)
        let after = ProcessCPU(total: 5_000, userTicks: 11, systemTicks: 13)
        #expect(after.since(before) == CPUTime(user: 1_000, system: 3_000))
        #expect(before.since(after) == CPUTime(user: 0, system: 0))
        #expect(CPUTime(user: 5, system: 9) - CPUTime(user: 2, system: 10) == CPUTime(user: 3, system: 0))
    }
}

@Suite struct SystemErrorTests {
    @Test(arguments: [(EMFILE, "nofile"), (ENOMEM, "lower"), (EAGAIN, "processes"), (EINVAL, "Invalid")])
    func saysWhatToDo(_ errno: Int32, _ advice: String) {
        let error = SystemError("start the thread shard-0", errno: errno)
        #expect(error.description.hasPrefix("Cannot start the thread shard-0: "))
        #expect(error.description.contains(advice))
    }
}
