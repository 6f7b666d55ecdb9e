// What this process, and the unit that is installed, may have: descriptors, locked memory, low ports.

import ApusReactor
import Foundation

extension Examination {
    var processFindings: [Finding] { [descriptors] + unitFindings + [lockedMemory] + [lowPorts].compactMap(\.self) }

    private var descriptors: Finding {
        guard let limit = files.limit("Max open files") else {
            return .unknown("nofile", "/proc/self/limits cannot be read")
        }
        let needed = plan.descriptorCount
        let purpose = "\(needed) are needed for \(counted(plan.maxConnections, "connection"))"
        // The server raises the soft limit itself.
        if limit.hard >= needed {
            return .ok("nofile", "\(bound(limit.soft)) soft, \(bound(limit.hard)) hard; \(purpose)")
        }
        let room = limit.hard - plan.fixedDescriptorCount
        let fixes = ceilingFixes(needed) + surroundings.descriptorFixes(needed)
        guard room > 0 else {
            return .failure("nofile", "\(limit.hard) hard, which is too few for any connection; \(purpose)", fixes)
        }
        return .warning("nofile", "\(limit.hard) hard: only \(counted(room, "connection")); \(purpose)", fixes)
    }

    /// No limit of a process goes beyond the kernel's.
    private func ceilingFixes(_ needed: Int) -> [Fix] {
        guard let ceiling = files.number("fs.nr_open"), ceiling < needed else { return [] }
        return surroundings.settingFixes("fs.nr_open", "\(needed)")
    }

    /// Rings of Linux 6.14 and later count against it, those of all processes of a user together, unless the process
    /// has CAP_IPC_LOCK.
    private var lockedMemory: Finding {
        guard let limit = files.limit("Max locked memory") else {
            return .unknown("memlock", "/proc/self/limits cannot be read")
        }
        let shown = limit.hard == .max ? "unlimited" : binary(limit.hard)
        if !areRingsCounted { return .ok("memlock", "\(shown); rings of this kernel do not count against it") }
        if has(capability: 14) { return .ok("memlock", "\(shown); not counted for this process (CAP_IPC_LOCK)") }
        return lockedMemory("memlock", limit.hard, shown, surroundings.lockedMemoryFixes)
    }

    private func lockedMemory(_ name: String, _ limit: Int, _ shown: String, _ fixes: [Fix]) -> Finding {
        let needed = plan.lockedByteCount
        let seen = "\(shown); rings take \(binary(needed))"
        if limit < needed { return .failure(name, "\(seen): they cannot all be made", fixes) }
        if limit < needed * 2 { return .warning(name, "\(seen), twice that during an upgrade", fixes) }
        return .ok(name, seen)
    }

    /// Measured on 6.18: with a limit of zero `io_uring_setup` fails with ENOMEM.
    private var areRingsCounted: Bool {
        files.setting("kernel.osrelease").map { KernelRelease(parsing: $0) >= KernelRelease(6, 14) } ?? true
    }

    private func has(capability number: Int) -> Bool {
        let held = files.field("CapEff", of: "/proc/self/status").flatMap { UInt64($0, radix: 16) } ?? 0
        return held & 1 << number != 0
    }

    /// Ports below this need a capability.
    private var lowPorts: Finding? {
        let first = files.number("net.ipv4.ip_unprivileged_port_start") ?? 1024
        let low = plan.listeners.filter { ($0.port ?? first) < first && $0.port != 0 }
        guard !low.isEmpty else { return nil }
        let names = low.map { "\($0.name) (\($0.address))" }.joined(separator: ", ")
        // CAP_NET_BIND_SERVICE.
        if has(capability: 10) { return .ok("low-ports", "\(names): below \(first), and this process may") }
        return .failure(
            "low-ports", "\(names): a port below \(first) needs CAP_NET_BIND_SERVICE",
            [.line("AmbientCapabilities=CAP_NET_BIND_SERVICE", file: Examination.dropIn)]
                + surroundings.settingFixes(
                    "net.ipv4.ip_unprivileged_port_start", "\(low.compactMap(\.port).min() ?? 0)"))
    }
}

// MARK: The unit that is installed

extension Examination {
    /// Beside the unit's file, so that a new version of the package leaves it alone.
    private static let dropIn = "/etc/systemd/system/apus.service.d/limits.conf, under [Service]"

    /// A unit has limits of its own, whatever the shell has that looks at them.
    private var unitFindings: [Finding] { [unitDescriptors, unitLockedMemory].compactMap(\.self) }

    private var unitDescriptors: Finding? {
        guard let limit = unitLimit("LimitNOFILE") else { return nil }
        let needed = plan.descriptorCount
        let shown = "\(limit.path) says LimitNOFILE=\(limit.text)"
        if limit.count >= needed { return .ok("unit-nofile", "\(shown); \(needed) are needed") }
        let fixes = [Fix.line("LimitNOFILE=\(needed)", file: Examination.dropIn), .command("systemctl daemon-reload")]
        return .warning("unit-nofile", "\(shown), and \(needed) are needed", fixes)
    }

    private var unitLockedMemory: Finding? {
        guard areRingsCounted, let limit = unitLimit("LimitMEMLOCK") else { return nil }
        let fixes = [Fix.line("LimitMEMLOCK=64M", file: Examination.dropIn), .command("systemctl daemon-reload")]
        return lockedMemory("unit-memlock", limit.count, "\(limit.path) says LimitMEMLOCK=\(limit.text)", fixes)
    }

    /// The last of its kind: what comes later overrides.
    private func unitLimit(_ name: String) -> (count: Int, text: String, path: String)? {
        var found: (count: Int, text: String, path: String)?
        for path in unitFiles {
            for line in files.text(path)?.split(separator: "\n") ?? [] where line.hasPrefix("\(name)=") {
                let text = line.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces)
                if let count = Examination.unitCount(text) { found = (count, text, path) }
            }
        }
        return found
    }

    /// The hard one of `soft:hard`, or one for both; with a suffix to the base of 1024 (systemd.exec(5)).
    private static func unitCount(_ text: String) -> Int? {
        let hard = text.split(separator: ":").last ?? ""
        if hard == "infinity" { return .max }
        let shifts: [Character: Int] = ["K": 10, "M": 20, "G": 30, "T": 40]
        guard let suffix = hard.last, let shift = shifts[suffix] else { return Int(hard) }
        let (count, overflow) = (Int(hard.dropLast()) ?? -1).multipliedReportingOverflow(by: 1 << shift)
        return overflow || count < 0 ? nil : count
    }

    /// The unit's file, the administrator's before the package's, and what is dropped in beside them.
    private var unitFiles: [String] {
        let folders = ["/usr/lib/systemd/system", "/lib/systemd/system", "/etc/systemd/system"]
        let unit = folders.map { "\($0)/apus.service" }.last { files.exists($0) }
        guard let unit else { return [] }
        return [unit] + folders.flatMap { folder in
            files.names(in: "\(folder)/apus.service.d").filter { $0.hasSuffix(".conf") }
                .map { "\(folder)/apus.service.d/\($0)" }
        }
    }
}
