// Where lines go: standard error or a file, with what could not be written yet. It belongs to the writer's thread; a
// place that takes nothing costs lines, which are counted, and never a process.

import Glibc

struct LogOutput {
    enum Place: Equatable, Sendable {
        /// Never closed: it is the process's, not ours.
        case console(Int32)
        case file(path: String)
    }

    /// What a write led to that somebody should hear of.
    enum Change: Equatable {
        /// The first write that failed since the last that did not.
        case failed(errno: Int32)
        case recovered
        case none
    }

    let place: Place
    private var descriptor: Int32
    /// Lines, whole ones but for the first, of which `written` bytes have left.
    private var backlog: [UInt8] = []
    private var written = 0
    private let backlogByteCountMax: Int
    private(set) var isFailing = false
    /// Lines for which there was no room, since `takeLost`.
    private var lostCount = 0

    init(_ place: Place, backlogByteCountMax: Int) throws(LogError) {
        self.place = place
        self.backlogByteCountMax = backlogByteCountMax
        switch place {
        case .console(let number): descriptor = number
        case .file(let path): descriptor = try LogOutput.open(path)
        }
    }

    /// A console that fails has lost its reader, who does not come back; a disk may get room.
    var isConsole: Bool {
        if case .console = place { true } else { false }
    }

    /// Nothing waits.
    var isEmpty: Bool { written == backlog.count }

    private static func open(_ path: String) throws(LogError) -> Int32 {
        // Without waiting: a FIFO that nobody reads would hold the server up. A regular file does not know the flag.
        let flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK
        let number = Glibc.open(path, flags, 0o640)
        guard number >= 0 else { throw .cannotOpen(path: path, errno: errno) }
        return number
    }

    /// One line behind those that wait. False: there is no room, and the line is lost.
    mutating func append(_ line: [UInt8]) -> Bool {
        guard backlog.count - written + line.count <= backlogByteCountMax else {
            lostCount += 1
            return false
        }
        backlog += line
        return true
    }

    /// How many lines were lost since the last call.
    mutating func takeLost() -> Int {
        defer { lostCount = 0 }
        return lostCount
    }

    /// Lines that wait and will not be written any more.
    mutating func abandon() -> Int {
        let count = backlog[written...].count { $0 == UInt8(ascii: "\n") }
        (backlog, written) = ([], 0)
        return count
    }

    /// Take the file by its name again: it was moved away, or its disk was changed. What was open stays when that
    /// fails.
    mutating func reopen() throws(LogError) {
        guard case .file(let path) = place else { return }
        let new = try LogOutput.open(path)
        close(descriptor)
        descriptor = new
        // What the old file has of a line that was cut by a full disk is no line of the new one.
        written = beginOfLine(written)
    }

    mutating func closeFile() {
        if case .file = place { close(descriptor) }
    }

    /// Write as much as is taken without waiting.
    mutating func flush() -> Change {
        let failure = writeBacklog()
        compact()
        if let failure {
            defer { isFailing = true }
            return isFailing ? .none : .failed(errno: failure)
        }
        guard isFailing, isEmpty else { return .none }
        isFailing = false
        return .recovered
    }

    /// Until all has left, or no more is taken; the error that is not one of waiting.
    private mutating func writeBacklog() -> Int32? {
        while written < backlog.count, isWritable {
            let part = backlog[written..<min(backlog.count, written + chunkByteCountMax)]
            // The buffer is read inside the closure only.
            let count = part.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count == 0 { return EIO }
            if count < 0, errno == EAGAIN { return nil }
            if count < 0, errno != EINTR { return errno }
            written += max(0, count)
        }
        return nil
    }

    /// A pipe that polls writable takes so many bytes without waiting; a file takes any number.
    private var chunkByteCountMax: Int {
        switch place {
        case .console: Int(PIPE_BUF)
        case .file: 256 << 10
        }
    }

    /// Standard error is shared with others, so it stays a descriptor that waits, and is asked before each write.
    private var isWritable: Bool {
        guard case .console(let number) = place else { return true }
        var interest = pollfd(fd: number, events: Int16(POLLOUT), revents: 0)
        return poll(&interest, 1, 0) > 0
    }

    /// Forget what has left, but for the begin of a line whose end has not.
    private mutating func compact() {
        let begin = beginOfLine(written)
        backlog.removeSubrange(..<begin)
        written -= begin
    }

    private func beginOfLine(_ position: Int) -> Int {
        if position == backlog.count, backlog.last == UInt8(ascii: "\n") { return position }
        return backlog[..<position].lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    }
}
