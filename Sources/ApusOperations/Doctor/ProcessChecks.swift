// What this process, and the unit that is installed, may have: descriptors, locked memory, low ports.

import Foundation

extension Examination {
    var processFindings: [Finding] { [descriptors] + unitFindings + [lockedMemory, lowPorts].compactMap(\.self) }

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

    /// Rings of Linux 5.12 and later do not count against it, so it is only shown; the ring's own check says when it
    /// was in the way.
    private var lockedMemory: Finding? {
        guard let limit = files.limit("Max locked memory") else {
            return .unknown("memlock", "/proc/self/limits cannot be read")
        }
        let shown = limit.hard == .max ? "unlimited" : binary(limit.hard)
        return .ok("memlock", "\(shown); rings of this kernel do not count against it")
    }

    /// Ports below this need a capability.
    private var lowPorts: Finding? {
        let first = files.number("net.ipv4.ip_unprivileged_port_start") ?? 1024
        let low = plan.listeners.filter { ($0.port ?? first) < first && $0.port != 0 }
        guard !low.isEmpty else { return nil }
        let names = low.map { "\($0.name) (\($0.address))" }.joined(separator: ", ")
        let capabilities = files.field("CapEff", of: "/proc/self/status").flatMap { UInt64($0, radix: 16) } ?? 0
        // CAP_NET_BIND_SERVICE is capability 10.
        if capabilities & 1 << 10 != 0 { return .ok("low-ports", "\(names): below \(first), and this process may") }
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
    private var unitFindings: [Finding] {
        guard let limit = unitDescriptorLimit else { return [] }
        let needed = plan.descriptorCount
        let shown = "\(limit.path) says LimitNOFILE=\(limit.text)"
        if limit.count >= needed { return [.ok("unit", "\(shown); \(needed) are needed")] }
        let fix = Fix.line("LimitNOFILE=\(needed)", file: Examination.dropIn)
        return [.warning("unit", "\(shown), and \(needed) are needed", [fix, .command("systemctl daemon-reload")])]
    }

    private var unitDescriptorLimit: (count: Int, text: String, path: String)? {
        var found: (count: Int, text: String, path: String)?
        // What comes later overrides.
        for path in unitFiles {
            for line in files.text(path)?.split(separator: "\n") ?? [] where line.hasPrefix("LimitNOFILE=") {
                let text = line.dropFirst("LimitNOFILE=".count).trimmingCharacters(in: .whitespaces)
                // "soft:hard", or one number for both.
                let hard = text.split(separator: ":").last.map(String.init) ?? text
                let count = hard == "infinity" ? .max : Int(hard)
                if let count { found = (count, text, path) }
            }
        }
        return found
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
