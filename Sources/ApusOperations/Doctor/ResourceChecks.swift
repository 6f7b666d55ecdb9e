// Processors and memory, as the machine has them and as control groups allow them.

extension Examination {
    var resourceFindings: [Finding] { [processors, memory, overcommit, hugePages] }

    private var processors: Finding {
        guard let usable = usableProcessors else { return .unknown("cpu", "/proc/self/status cannot be read") }
        let quota = ControlGroup(files).processorQuota
        let share = quota.map { "\(fixed($0, digits: 1)) CPUs by quota" } ?? "no quota"
        let seen = "\(counted(usable, "core")), \(share), \(counted(plan.shards, "shard"))"
        if plan.shards > usable {
            return .warning(
                "cpu", "\(seen): loops share cores and wait for each other",
                [plan.fix("shards", flag: "--shards", usable)])
        }
        if let quota, Double(plan.shards) > quota {
            let fewer = plan.fix("shards", flag: "--shards", max(1, Int(quota)))
            return .warning(
                "cpu", "\(seen): the kernel stops all loops when the quota of a period is used up",
                surroundings.processorFixes(shards: plan.shards) + [fewer])
        }
        return .ok("cpu", seen)
    }

    /// The bits of `Cpus_allowed: ff,ffffffff`.
    private var usableProcessors: Int? {
        files.field("Cpus_allowed", of: "/proc/self/status").map { mask in
            mask.compactMap(\.hexDigitValue).reduce(0) { $0 + $1.nonzeroBitCount }
        }
    }

    private var memory: Finding {
        let total = files.byteCount("MemTotal", of: "/proc/meminfo")
        let group = ControlGroup(files).memoryByteCountMax
        guard let most = [total, group].compactMap(\.self).min() else {
            return .unknown("memory", "neither /proc/meminfo nor a control group says")
        }
        let isOfGroup = most == group && group != total
        let needed = plan.memoryByteCountMax
        let mebibytes = (needed + (64 << 20)) >> 20
        let place = isOfGroup ? "by control group" : "in the machine"
        let seen = "\(binary(most)) \(place); buffers may take \(binary(needed))"
        let fixes = isOfGroup ? surroundings.memoryFixes(mebibytes: mebibytes) : [fewerShards(for: most)]
        if most < plan.memoryByteCountMin {
            return .failure("memory", "\(seen), and shards alone take \(binary(plan.memoryByteCountMin))", fixes)
        }
        if most < needed { return .warning("memory", "\(seen): under load the kernel ends the process", fixes) }
        return .ok("memory", seen)
    }

    private func fewerShards(for byteCount: Int) -> Fix {
        let perShard = plan.memoryByteCountMax / plan.shards
        return plan.fix("shards", flag: "--shards", max(1, byteCount / perShard))
    }

    /// Shards reserve address space and touch it as they need it.
    private var overcommit: Finding {
        guard let mode = files.number("vm.overcommit_memory") else {
            return .unknown("overcommit", "vm.overcommit_memory cannot be read")
        }
        guard mode == 2 else {
            return .ok("overcommit", "vm.overcommit_memory = \(mode): what is reserved costs nothing yet")
        }
        let left = commitLeft
        let seen = "vm.overcommit_memory = 2: what is reserved counts as used"
        if let left, left >= plan.memoryByteCountMax { return .ok("overcommit", "\(seen); \(binary(left)) are left") }
        let shortage = left.map { ", and only \(binary($0)) of \(binary(plan.memoryByteCountMax)) are left" } ?? ""
        return .warning(
            "overcommit", "\(seen)\(shortage)", surroundings.settingFixes("vm.overcommit_memory", "0"))
    }

    private var commitLeft: Int? {
        guard let most = files.byteCount("CommitLimit", of: "/proc/meminfo"),
            let used = files.byteCount("Committed_AS", of: "/proc/meminfo")
        else { return nil }
        return max(0, most - used)
    }

    private var hugePages: Finding {
        let path = "/sys/kernel/mm/transparent_hugepage/enabled"
        // The mode in force stands in brackets.
        guard let modes = files.text(path), let mode = modes.split(separator: "[").last?.split(separator: "]").first
        else {
            return .ok("huge-pages", "none, and none are needed")
        }
        if mode == "always" {
            // Buffers are touched here and there; whole huge pages would become resident for it.
            return .ok("huge-pages", "always; not needed, and idle connections take more memory so (madvise is better)")
        }
        return .ok("huge-pages", "\(mode); not needed")
    }
}
