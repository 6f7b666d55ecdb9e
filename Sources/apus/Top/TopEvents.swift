// What the live view waits for, in one place: keys, signals, new figures. Each becomes a byte or an event; nobody calls
// back into the view.

import Foundation
import Glibc

enum TopEvent: Equatable {
    case key(UInt8)
    case figures
    case resized
    case quit
}

final class TopEvents: Sendable {
    private let readEnd: Int32
    private let writeEnd: Int32
    private static let resizing = UInt8(ascii: "r")
    private static let figuring = UInt8(ascii: "f")
    private static let quitting = UInt8(ascii: "q")

    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else {
            throw Failure(.runtimeFailure, "apus: cannot open a pipe: \(String(cString: strerror(errno)))")
        }
        // Nobody waits for a reader, and nothing is started that could inherit them.
        for end in ends { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
        (readEnd, writeEnd) = (ends[0], ends[1])
    }

    /// Before any other thread starts: signals are then taken by one thread alone.
    func watchSignals() {
        var set = TopEvents.signals
        pthread_sigmask(SIG_BLOCK, &set, nil)
        Thread.detachNewThread {
            var set = TopEvents.signals
            while true {
                var signal: Int32 = 0
                guard sigwait(&set, &signal) == 0 else { continue }
                self.post(signal == SIGWINCH ? TopEvents.resizing : TopEvents.quitting)
            }
        }
    }

    private static var signals: sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        for signal in [SIGWINCH, SIGTERM, SIGINT, SIGHUP] { sigaddset(&set, signal) }
        return set
    }

    func postFigures() { post(TopEvents.figuring) }

    /// A pipe that is full holds news enough.
    private func post(_ byte: UInt8) {
        var byte = byte
        _ = write(writeEnd, &byte, 1)
    }

    /// Waits until there is at least one.
    func next() -> [TopEvent] {
        var waited = [
            pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0),
        ]
        guard poll(&waited, 2, -1) > 0 else { return [] }
        var events: [TopEvent] = []
        if waited[1].revents != 0 { events += bytes(of: readEnd).compactMap(TopEvents.event) }
        if waited[0].revents != 0 {
            let keys = bytes(of: STDIN_FILENO)
            // A terminal that is gone.
            events += keys.isEmpty ? [.quit] : keys.map(TopEvent.key)
        }
        return events
    }

    private static func event(_ byte: UInt8) -> TopEvent? {
        switch byte {
        case resizing: .resized
        case figuring: .figures
        case quitting: .quit
        default: nil
        }
    }

    private func bytes(of descriptor: Int32) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        return Array(bytes.prefix(max(0, count)))
    }
}
