// The file that says which process serves, for those who ask for one. Written whole or not at all, and removed only
// while it still names this process: after an upgrade it names the successor.

import Foundation
import Glibc

struct PIDFile: Sendable {
    let path: String
    let processID: Int32

    /// - Returns: why it could not be written; nil when it was.
    func write() -> String? {
        do {
            // By way of another file and a rename: a reader sees the old number or the new one.
            try Data("\(processID)\n".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
            chmod(path, 0o644)
            return nil
        } catch {
            return "cannot write the PID file \(path): \(error.localizedDescription)"
        }
    }

    func removeIfOurs() {
        guard PIDFile.process(in: path) == processID else { return }
        unlink(path)
    }

    static func process(in path: String) -> Int32? {
        do {
            let text = try String(contentsOfFile: path, encoding: .utf8)
            return Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
        } catch {
            return nil
        }
    }
}
