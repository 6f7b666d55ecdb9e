// What the command writes: lines and bytes on stdout, complaints and one live line on stderr.

import Foundation
import Glibc

enum Output {
    static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    static func line(_ text: String) throws { try bytes(Array("\(text)\n".utf8)) }

    /// At once, whoever reads: a script waits for the line.
    static func bytes(_ bytes: [UInt8]) throws { try write(bytes, to: STDOUT_FILENO) }

    static func json(_ value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        try line(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// On the way out: a reader that is gone changes nothing any more.
    static func tell(_ text: String) { attempt("\(text)\n", to: STDOUT_FILENO) }
    static func complain(_ text: String) { attempt("\(text)\n", to: STDERR_FILENO) }

    static func attempt(_ text: String, to descriptor: Int32) {
        do {
            try write(Array(text.utf8), to: descriptor)
        } catch {
            // There is nobody left to tell.
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) throws {
        var written = 0
        while written < bytes.count {
            // The buffer is read inside the closure only.
            let count = bytes[written...].withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count >= 0 || errno == EINTR else {
                throw Failure(.runtimeFailure, "apus: cannot write the output: \(String(cString: strerror(errno)))")
            }
            written += max(count, 0)
        }
    }
}

/// One line on stderr that is written over, for as long as something takes; nothing when stderr is no terminal.
struct ProgressLine {
    private let isTerminal = isatty(STDERR_FILENO) == 1

    /// Clears the rest of the line, for a text that is shorter than the one before.
    private static let clearToEnd = "\u{1B}[K"

    func show(_ text: String) {
        guard isTerminal else { return }
        Output.attempt("\r\(text)\(ProgressLine.clearToEnd)", to: STDERR_FILENO)
    }

    func clear() {
        guard isTerminal else { return }
        Output.attempt("\r\(ProgressLine.clearToEnd)", to: STDERR_FILENO)
    }
}
