// The terminal as a picture that is drawn over and over: its other screen, without cursor, with each key as it is
// pressed. `leave` gives back what was there.

import ApusOperations
import Glibc

final class Terminal {
    private let original: termios
    private let isColoured: Bool

    /// Nil when stdin and stdout are not both a terminal.
    init?(isColoured: Bool) {
        var settings = termios()
        guard isatty(STDOUT_FILENO) == 1, tcgetattr(STDIN_FILENO, &settings) == 0 else { return nil }
        original = settings
        self.isColoured = isColoured
    }

    /// ECMA-48 and the sequences that every terminal since xterm knows.
    private enum Sequence {
        static let enter = "\u{1B}[?1049h\u{1B}[?25l"
        static let leave = "\u{1B}[?25h\u{1B}[?1049l"
        static let home = "\u{1B}[H"
        static let clearLine = "\u{1B}[K"
        static let clearBelow = "\u{1B}[J"
        static let plain = "\u{1B}[0m"
    }

    func enter() throws {
        var settings = original
        // Keys at once, unseen; Ctrl-C is a key too, so that there is one way out.
        settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
        settings.c_iflag &= ~tcflag_t(IXON)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings) == 0 else {
            throw Failure(.runtimeFailure, "apus: cannot set the terminal: \(String(cString: strerror(errno)))")
        }
        try Output.bytes(Array(Sequence.enter.utf8))
    }

    func leave() {
        Output.attempt(Sequence.leave, to: STDOUT_FILENO)
        var settings = original
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &settings)
    }

    /// In characters; a terminal that does not say is taken for the usual one.
    static var size: (width: Int, height: Int) {
        var size = winsize()
        guard ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return (80, 24)
        }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// Over what was there, without a moment in which nothing is.
    func show(_ rows: [TopFrame.Row]) throws {
        let lines = rows.map { styled($0) + Sequence.clearLine }
        let picture = Sequence.home + lines.joined(separator: "\r\n") + Sequence.clearBelow
        try Output.bytes(Array(picture.utf8))
    }

    private func styled(_ row: TopFrame.Row) -> String {
        guard isColoured else { return row.text }
        return switch row.role {
        case .plain: row.text
        case .title: "\u{1B}[1m\(row.text)\(Sequence.plain)"
        case .heading: "\u{1B}[7m\(row.text)\(Sequence.plain)"
        case .alarm: "\u{1B}[1;31m\(row.text)\(Sequence.plain)"
        }
    }
}
