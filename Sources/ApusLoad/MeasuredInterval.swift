// The time that is measured and the one before it, and what generator and server used of processors in the first.

import ApusReactor

struct MeasuredInterval {
    enum Phase {
        case warmup, measured, over
    }

    private(set) var phase = Phase.warmup
    /// When the phase began, and when it is to end.
    private(set) var begin: Instant
    private(set) var end: Instant
    private let duration: Nanoseconds
    private let serverPID: Int32?
    private var used: Usage
    private(set) var generatorCPU = CPUTime(user: 0, system: 0)
    private(set) var serverCPU: CPUTime?

    private struct Usage {
        let generator: CPUTime
        let server: ProcessCPU?

        init(serverPID: Int32?) throws(LoadError) {
            do throws(ProcessUnreadable) {
                if let serverPID { server = try processCPU(of: serverPID) } else { server = nil }
            } catch {
                throw .server(error)
            }
            generator = threadCPU()
        }
    }

    /// The warm-up begins. A server that cannot be read is reported here, before anybody waits for it.
    init(warmup: Nanoseconds, duration: Nanoseconds, serverPID: Int32?, at now: Instant) throws(LoadError) {
        begin = now
        end = now + warmup
        self.duration = duration
        self.serverPID = serverPID
        used = try Usage(serverPID: serverPID)
    }

    var seconds: Double { (end - begin).seconds }

    /// Whether something that was intended at `instant` is measured.
    func measures(_ instant: Instant) -> Bool { phase != .warmup && begin <= instant && instant < end }

    mutating func beginMeasuring(at now: Instant) throws(LoadError) {
        precondition(phase == .warmup)
        used = try Usage(serverPID: serverPID)
        phase = .measured
        begin = now
        end = now + duration
    }

    mutating func finish(at now: Instant) throws(LoadError) {
        precondition(phase == .measured)
        phase = .over
        end = now
        let usedBefore = used
        used = try Usage(serverPID: serverPID)
        generatorCPU = used.generator - usedBefore.generator
        if let after = used.server, let before = usedBefore.server { serverCPU = after.since(before) }
    }
}

// MARK: Reports

extension MeasuredInterval {
    private func cores(_ time: CPUTime) -> Double { seconds > 0 ? time.total.seconds / seconds : 0 }

    /// - Parameter busyPolls: it never slept, so that its utilization says nothing of what it could still do.
    func generatorReport(busyPolls: Bool = false) -> GeneratorReport {
        let utilization = cores(generatorCPU)
        let isBottleneck = GeneratorReport.isBottleneck(generator: utilization, server: serverCPU.map(cores))
        return GeneratorReport(
            cpuUserSeconds: generatorCPU.user.seconds,
            cpuSystemSeconds: generatorCPU.system.seconds,
            utilization: utilization,
            busyPolls: busyPolls,
            bottleneck: !busyPolls && isBottleneck)
    }

    /// Without its `cpuMicrosecondsPer…`. Nil when nobody said which process is the server.
    func serverReport() throws(LoadError) -> ServerReport? {
        guard let serverPID, let serverCPU else { return nil }
        let total = serverCPU.total.seconds
        return ServerReport(
            pid: serverPID,
            cpuUserSeconds: serverCPU.user.seconds,
            cpuSystemSeconds: serverCPU.system.seconds,
            userShare: total > 0 ? serverCPU.user.seconds / total : 0,
            rssBytes: try serverMemory(of: serverPID))
    }

    /// Processor time for one of `count`, in microseconds.
    static func microseconds(_ time: CPUTime, per count: Int) -> Double {
        count > 0 ? time.total.seconds * 1e6 / Double(count) : 0
    }
}

/// The server's user memory.
func serverMemory(of pid: Int32) throws(LoadError) -> Int {
    do throws(ProcessUnreadable) {
        return try residentByteCount(of: pid)
    } catch {
        throw .server(error)
    }
}
