// Whether a process may be replaced by another: not where its end would end the other too. It looks at what it is
// given.

import Foundation
import Glibc

struct UpgradeConditions: Equatable, Sendable {
    var processID: Int32
    var parentID: Int32
    /// What process 1 is called.
    var initName: String
    var environment: [String: String]

    /// Those that end with their only child.
    private static let containerInits: Set<String> = ["tini", "docker-init", "dumb-init", "catatonit"]

    static func current(environment: [String: String]) -> UpgradeConditions {
        UpgradeConditions(
            processID: getpid(), parentID: getppid(), initName: nameOfInit(), environment: environment)
    }

    /// Empty where it cannot be read.
    private static func nameOfInit() -> String {
        do {
            return try String(contentsOfFile: "/proc/1/comm", encoding: .utf8)
                .trimmingCharacters(in: .whitespacesAndNewlines)
        } catch {
            return ""
        }
    }

    /// Why there can be no upgrade, and what to do instead; nil when there can.
    var refusal: String? {
        let instead = "replace the container instead: start the new one, then stop this one (apus drain)"
        if processID == 1 {
            return "this process is PID 1 of its container, which ends with it and takes a successor along; \(instead)"
        }
        if parentID == 1, UpgradeConditions.containerInits.contains(initName) {
            return "this process is the only child of \(initName), and the container ends with it; \(instead)"
        }
        let isMainProcess = environment["SYSTEMD_EXEC_PID"].flatMap(Int32.init) == processID
        if isMainProcess, environment["NOTIFY_SOCKET"] == nil {
            return "systemd cannot be told of a successor (no NOTIFY_SOCKET), and would end it with this process; set "
                + "Type=notify in the unit"
        }
        return nil
    }
}
