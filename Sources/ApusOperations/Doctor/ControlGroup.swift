// What the control groups of this process allow it: processor time and memory, of both hierarchies that Linux has. A
// group's bounds hold for all below it, so the tightest on the way up is what counts.

struct ControlGroup {
    private let files: HostFiles

    init(_ files: HostFiles) { self.files = files }

    /// Processors' worth of time per period; nil: as much as there is.
    var processorQuota: Double? {
        let unified = ancestors(of: "").compactMap { folder in
            ControlGroup.quota(files.text("/sys/fs/cgroup\(folder)/cpu.max"))
        }
        let legacy = ancestors(of: "cpu").compactMap { folder -> Double? in
            guard let quota = number("/sys/fs/cgroup/cpu\(folder)/cpu.cfs_quota_us"), quota > 0,
                let period = number("/sys/fs/cgroup/cpu\(folder)/cpu.cfs_period_us"), period > 0
            else { return nil }
            return Double(quota) / Double(period)
        }
        return (unified + legacy).min()
    }

    /// Nil: as much as there is.
    var memoryByteCountMax: Int? {
        let unified = ancestors(of: "").compactMap { number("/sys/fs/cgroup\($0)/memory.max") }
        let legacy = ancestors(of: "memory").compactMap { folder in
            number("/sys/fs/cgroup/memory\(folder)/memory.limit_in_bytes")
        }
        // The older hierarchy writes "unlimited" as the largest number of whole pages.
        return (unified + legacy.filter { $0 < 1 << 60 }).min()
    }

    /// The systemd unit that this process runs under; nil in a login session.
    var unit: String? {
        let folder = ancestors(of: "").first ?? ""
        let name = folder.split(separator: "/").last { $0.hasSuffix(".service") }
        // A user's own manager is a service too, and everything of a session lies below it.
        return name.flatMap { $0.hasPrefix("user@") ? nil : String($0) }
    }

    /// The group's folder and all above it, the root's being empty.
    /// - Parameter controller: of the older hierarchy, where each has groups of its own; empty for the unified one.
    private func ancestors(of controller: String) -> [String] {
        let lines = files.text("/proc/self/cgroup")?.split(separator: "\n") ?? []
        let fields = lines.map { $0.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false) }
        let line = fields.first { fields in
            guard fields.count == 3 else { return false }
            // The unified hierarchy's line names no controller.
            return fields[1].split(separator: ",", omittingEmptySubsequences: false).contains { $0 == controller }
        }
        // Where the group's own folder is not mounted, as in a container, the root's is this container's.
        var folders = [""]
        for name in line?[2].split(separator: "/") ?? [] { folders.append("\(folders[folders.count - 1])/\(name)") }
        return folders.reversed()
    }

    private func number(_ path: String) -> Int? {
        files.text(path)?.split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
    }

    /// `max 100000` or `150000 100000`.
    private static func quota(_ text: String?) -> Double? {
        let words = text?.split(whereSeparator: \.isWhitespace) ?? []
        guard words.count == 2, let quota = Double(words[0]), let period = Double(words[1]), period > 0 else {
            return nil
        }
        return quota / period
    }
}
