// How many cores this process may run on: fewer than the machine has under `taskset`, cpusets and the like.

import Foundation

enum UsableCores {
    static var count: Int {
        do {
            let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
            if let count = count(inStatus: status), count > 0 { return count }
        } catch {
            // Without /proc the machine's cores are the best guess.
        }
        return ProcessInfo.processInfo.activeProcessorCount
    }

    /// The bits of the line `Cpus_allowed:	ff,ffffffff`; nil when there is none.
    static func count(inStatus status: String) -> Int? {
        let line = status.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed:") }
        return line?.drop { $0 != ":" }.compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
    }
}
