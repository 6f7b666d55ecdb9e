// What the kernel's network settings leave of the listeners' wishes.

extension Examination {
    var networkFindings: [Finding] {
        [backlog, halfOpen, bufferCeilings, receiveBuffers, sendBuffers, ports, reuse, tracking].compactMap(\.self)
    }

    private var backlog: Finding {
        guard let most = files.number("net.core.somaxconn") else {
            return .unknown("backlog", "net.core.somaxconn cannot be read")
        }
        let wanted = plan.listeners.map(\.backlog).max() ?? 0
        if most >= wanted { return .ok("backlog", "net.core.somaxconn = \(most), listeners ask for \(wanted)") }
        return .warning(
            "backlog", "net.core.somaxconn = \(most) cuts what listeners ask for (\(wanted)): a burst is turned away",
            surroundings.settingFixes("net.core.somaxconn", "\(wanted)"))
    }

    /// Connections that have not finished TCP's own handshake.
    private var halfOpen: Finding {
        guard let cookies = files.number("net.ipv4.tcp_syncookies") else {
            return .unknown("syn-cookies", "net.ipv4.tcp_syncookies cannot be read")
        }
        if cookies != 0 { return .ok("syn-cookies", "on: a flood of SYNs does not shut others out") }
        return .warning(
            "syn-cookies", "net.ipv4.tcp_syncookies = 0: a flood of SYNs shuts others out",
            surroundings.settingFixes("net.ipv4.tcp_syncookies", "1"))
    }

    /// What a program may ask for with SO_RCVBUF and SO_SNDBUF. We leave sizes to the kernel, so it is only shown
    /// unless somebody made it tiny.
    private var bufferCeilings: Finding {
        guard let receive = files.number("net.core.rmem_max"), let send = files.number("net.core.wmem_max") else {
            // A network namespace of its own does not show them.
            return .unknown("socket-buffers", "net.core.rmem_max and wmem_max are not shown here")
        }
        let seen = "net.core.rmem_max = \(receive), wmem_max = \(send)"
        let low = [("net.core.rmem_max", receive), ("net.core.wmem_max", send)].filter { $0.1 < 212_992 }.map(\.0)
        if low.isEmpty { return .ok("socket-buffers", seen) }
        return .warning(
            "socket-buffers", "\(seen), less than the kernel's own default of 212992",
            low.flatMap { surroundings.settingFixes($0, "212992") })
    }

    private var receiveBuffers: Finding {
        autotuned("tcp-receive", "net.ipv4.tcp_rmem", usual: [4096, 131_072, 6_291_456])
    }

    private var sendBuffers: Finding { autotuned("tcp-send", "net.ipv4.tcp_wmem", usual: [4096, 16_384, 4_194_304]) }

    /// One send is at most 256 KiB, and a path of 100 Mbit/s and 80 ms has 1 MB under way.
    private func autotuned(_ name: String, _ setting: String, usual: [Int]) -> Finding {
        guard let sizes = files.numbers(setting), sizes.count == 3 else {
            return .unknown(name, "\(setting) cannot be read")
        }
        let seen = "\(setting) = \(sizes.map(String.init).joined(separator: " "))"
        if sizes[2] >= 1 << 20 { return .ok(name, seen) }
        return .warning(
            name, "\(seen): long paths stay slow with less than 1 MiB",
            surroundings.settingFixes(setting, usual.map(String.init).joined(separator: " ")))
    }

    /// For `apus bench`, and for a server that connects out.
    private var ports: Finding {
        guard let range = files.numbers("net.ipv4.ip_local_port_range"), range.count == 2 else {
            return .unknown("local-ports", "net.ipv4.ip_local_port_range cannot be read")
        }
        let count = range[1] - range[0] + 1
        let seen = "\(range[0]) to \(range[1]): \(count) connections from one address to one listener"
        if count >= 16_384 { return .ok("local-ports", seen) }
        return .warning(
            "local-ports", "\(seen); generating load needs more",
            surroundings.settingFixes("net.ipv4.ip_local_port_range", "32768 60999"))
    }

    /// Whoever closes first keeps the port for a minute, unless it may be taken again.
    private var reuse: Finding {
        guard let mode = files.number("net.ipv4.tcp_tw_reuse") else {
            return .unknown("port-reuse", "net.ipv4.tcp_tw_reuse cannot be read")
        }
        if mode != 0 {
            return .ok("port-reuse", "net.ipv4.tcp_tw_reuse = \(mode)\(mode == 2 ? ": on loopback" : "")")
        }
        return .warning(
            "port-reuse", "net.ipv4.tcp_tw_reuse = 0: `apus bench connect` runs out of ports",
            surroundings.settingFixes("net.ipv4.tcp_tw_reuse", "2"))
    }

    /// A full table drops new connections in silence. Without the module there is no table.
    private var tracking: Finding? {
        guard let most = files.number("net.netfilter.nf_conntrack_max") else { return nil }
        let used = files.number("net.netfilter.nf_conntrack_count")
        // A connection that has ended stays in the table for two minutes.
        let wanted = plan.maxConnections * 2 + (used ?? 0)
        let seen = "nf_conntrack_max = \(most), \(used.map { "\($0) in use" } ?? "how many are in use is not shown")"
        if most == 0 || most >= wanted { return .ok("conntrack", "\(seen); \(wanted) are wanted") }
        let fixes = surroundings.settingFixes("net.netfilter.nf_conntrack_max", "\(wanted)")
        if let used, used >= most {
            return .failure("conntrack", "\(seen): the table is full and drops new connections", fixes)
        }
        return .warning("conntrack", "\(seen); \(wanted) are wanted: connections beyond are dropped in silence", fixes)
    }
}
