// The thread that alone touches the outputs: takes what was left in the queue, writes it, and tells of itself what an
// operator should know. It never ends the process, whatever a disk or a terminal does.

import Glibc
import Logging

/// `@unchecked`: `outputs` is touched by its own thread only, once that runs.
final class WriterThread: @unchecked Sendable {
    /// The label of records about the log itself.
    static let label = "apus.log"
    /// How long an output that fails is left alone, and one that is merely full.
    private static let retryMilliseconds: (failing: Int32, full: Int32) = (500, 20)
    /// When held-back repeats are looked at.
    private static let summaryMilliseconds: Int32 = 1000

    private let writer: LogWriter
    private var outputs: [LogOutput]

    private init(_ writer: LogWriter, _ outputs: [LogOutput]) {
        self.writer = writer
        self.outputs = outputs
    }

    /// Deaf to signals: they are for whoever waits for them, and a terminal that is gone must not end the process.
    static func start(_ writer: LogWriter, _ outputs: [LogOutput]) throws(LogError) {
        let thread = WriterThread(writer, outputs)
        var (all, previous) = (sigset_t(), sigset_t())
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        let retained = Unmanaged.passRetained(thread)
        var number = pthread_t()
        let result = pthread_create(&number, nil, runWriter, retained.toOpaque())
        guard result == 0 else {
            retained.release()
            throw .noThread(result)
        }
        pthread_detach(number)
    }

    fileprivate func run() {
        while true {
            let work = writer.take()
            if work.isReopenAsked { reopen() }
            deliver(work)
            flush()
            work.changes.forEach(change)
            if let deadline = work.deadline, isOver(deadline) { return end() }
            if work.isEmpty { writer.sleep(milliseconds: patience(work)) }
        }
    }

    /// How long to sleep when nobody rings.
    private func patience(_ work: LogWriter.Work) -> Int32? {
        var times = outputs.filter { !$0.isEmpty }.map {
            $0.isFailing && work.deadline == nil
                ? WriterThread.retryMilliseconds.failing : WriterThread.retryMilliseconds.full
        }
        if work.isWatching { times.append(WriterThread.summaryMilliseconds) }
        return times.min()
    }

    // MARK: Writing

    private func deliver(_ work: LogWriter.Work) {
        for line in work.lines { append(line) }
        for summary in work.summaries {
            append(writer.line(
                summary.key.level, label: summary.key.label, summary.key.message,
                ["repeated": .stringConvertible(summary.count)]))
        }
        if work.droppedCount > 0 { noteDropped(work.droppedCount, "the queue was full") }
    }

    private func append(_ line: [UInt8]) {
        for index in outputs.indices { append(line, to: index) }
    }

    private func append(_ line: [UInt8], to index: Int) {
        if !outputs[index].append(line) { writer.countDropped(1) }
    }

    private func flush() {
        for index in outputs.indices {
            switch outputs[index].flush() {
            case .failed(let errno): tellFailed(index, errno)
            case .recovered: note(.notice, "the log is written again", ["output": "\(outputs[index].place)"])
            case .none: break
            }
            tellLost(index)
        }
    }

    /// What had no place while an output took nothing, once it takes again.
    private func tellLost(_ index: Int) {
        guard outputs[index].isEmpty else { return }
        let count = outputs[index].takeLost()
        guard count > 0 else { return }
        append(droppedLine(count, "\(outputs[index].place) took nothing"), to: index)
    }

    // MARK: Notes about the log itself

    private func note(_ level: Logger.Level, _ message: String, _ metadata: Logger.Metadata) {
        append(writer.line(level, label: WriterThread.label, message, metadata))
    }

    private func noteDropped(_ count: Int, _ reason: String) { append(droppedLine(count, reason)) }

    private func droppedLine(_ count: Int, _ reason: String) -> [UInt8] {
        writer.line(
            .warning, label: WriterThread.label, "log records were dropped",
            ["count": .stringConvertible(count), "reason": .string(reason)])
    }

    /// Once, until it works again: on every other output, and on the console also where no record goes there.
    private func tellFailed(_ index: Int, _ errno: Int32) {
        tell(
            "the log cannot be written", about: index,
            ["output": "\(outputs[index].place)", "error": .string(errorText(errno))])
    }

    private func tell(_ message: String, about index: Int, _ metadata: Logger.Metadata) {
        let line = writer.line(.error, label: WriterThread.label, message, metadata)
        for other in outputs.indices where other != index { append(line, to: other) }
        if case .file = outputs[index].place, outputs.count == 1 { WriterThread.attempt(line) }
    }

    /// On standard error, if it takes it without waiting: there is nobody else to tell.
    private static func attempt(_ line: [UInt8]) {
        var interest = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&interest, 1, 0) > 0 else { return }
        // The buffer is read inside the closure only.
        _ = line.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private func reopen() {
        // What belongs into the file that was moved away goes there first.
        flush()
        for index in outputs.indices {
            do throws(LogError) {
                try outputs[index].reopen()
            } catch {
                tell("the log file stays the one that was open", about: index, ["error": "\(error)"])
            }
        }
    }

    /// What was meant for an output that goes is written there, as far as it takes it.
    private func change(_ change: LogWriter.OutputChange) {
        for output in outputs where !change.places.contains(output.place) { close(output) }
        let stays = outputs.filter { change.places.contains($0.place) }
        outputs = change.places.compactMap { place in
            stays.first { $0.place == place } ?? change.opened.first { $0.place == place }
        }
        for output in change.opened where stays.contains(where: { $0.place == output.place }) { close(output) }
    }

    private func close(_ output: LogOutput) {
        var output = output
        writer.countDropped(output.abandon())
        output.closeFile()
    }

    // MARK: The end

    private func isOver(_ deadline: UInt64) -> Bool {
        outputs.allSatisfy { $0.isEmpty || $0.isConsole && $0.isFailing }
            || writer.clock.monotonicNanoseconds() >= deadline
    }

    private func end() {
        outputs.forEach(close)
        writer.sayEnded()
    }
}

extension LogOutput.Place: CustomStringConvertible {
    var description: String {
        switch self {
        case .console: "console"
        case .file(let path): path
        }
    }
}

private func runWriter(_ thread: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let thread else { return nil }
    // `start` retained it for this thread, which takes it over.
    let taken = Unmanaged<WriterThread>.fromOpaque(thread).takeRetainedValue()
    nameThread("apus-log")
    taken.run()
    return nil
}

/// What `top -H` shows. A nameless thread runs as well.
private func nameThread(_ name: String) {
    let file = open("/proc/thread-self/comm", O_WRONLY | O_CLOEXEC)
    guard file >= 0 else { return }
    _ = write(file, name, name.utf8.count)
    close(file)
}
