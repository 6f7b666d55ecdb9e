// What a server may use at most, each sum with its terms, beside what the host has. The terms are those of the limits
// in ARCHITECTURE.md; the kernel's are read from /proc.

import ApusConfiguration
import ApusServer
import Foundation
import Glibc

/// What this host lets a process have.
struct Host: Sendable {
    /// The hard limit of open files, which a server raises its own to.
    var descriptors: Int
    /// Bytes; nil where it cannot be told.
    var memoryByteCount: Int?
    /// Bytes of a TCP socket's two buffers to begin with, and at most.
    var socketBuffers: (standard: Int, most: Int)
    /// Bytes that all TCP buffers of the host may have; nil where it cannot be told.
    var tcpMemoryByteCount: Int?

    static var current: Host {
        let receive = numbers("/proc/sys/net/ipv4/tcp_rmem")
        let send = numbers("/proc/sys/net/ipv4/tcp_wmem")
        let isKnown = receive.count == 3 && send.count == 3
        let pages = numbers("/proc/sys/net/ipv4/tcp_mem")
        return Host(
            descriptors: descriptorLimit(), memoryByteCount: memory(),
            socketBuffers: isKnown ? (receive[1] + send[1], receive[2] + send[2]) : (131_072 + 16_384, 10_485_760),
            tcpMemoryByteCount: pages.count == 3 ? pages[2] * Int(sysconf(Int32(_SC_PAGESIZE))) : nil)
    }

    private static func descriptorLimit() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
        return Int(clamping: limit.rlim_max)
    }

    /// The machine's, or the control group's where that is less.
    private static func memory() -> Int? {
        let machine = words("/proc/meminfo").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
        let group = numbers("/sys/fs/cgroup/memory.max").first
        return [machine, group].compactMap(\.self).min()
    }

    private static func numbers(_ path: String) -> [Int] { words(path).compactMap { Int($0) } }

    /// Empty where the file is not: the host does not tell.
    private static func words(_ path: String) -> [Substring] {
        guard let bytes = FileManager.default.contents(atPath: path) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }
    }
}

struct LimitSums: Encodable {
    struct Term: Encodable {
        let name: String
        let bytes: Int
    }

    let shards: Int
    /// What is asked for, and what open files allow.
    let maxConnections: Int
    let effectiveMaxConnections: Int
    let descriptorsNeeded: Int
    let descriptorsAllowed: Int
    let perShard: [Term]
    let perProcess: [Term]
    let kernelStandard: Int
    let kernelMost: Int
    let memory: Int?

    enum CodingKeys: String, CodingKey {
        case shards, memory
        case maxConnections = "max_connections"
        case effectiveMaxConnections = "effective_max_connections"
        case descriptorsNeeded = "descriptors_needed"
        case descriptorsAllowed = "descriptors_allowed"
        case perShard = "bytes_per_shard"
        case perProcess = "bytes_per_process"
        case kernelStandard = "kernel_socket_buffer_bytes"
        case kernelMost = "kernel_socket_buffer_bytes_max"
    }

    /// Standard streams, the program's own files, a connection that is refused.
    private static let otherDescriptors = 32
    /// A slab slot, a timer, and entries in two lists: measured at 10,000 idle connections.
    private static let bytesPerConnection = 300
    private static let bytesPerHandshake = 544

    init(_ server: ServerConfiguration, _ host: Host) {
        shards = server.shards
        maxConnections = server.maxConnections
        // Each shard has its listening sockets, its ring and its eventfd.
        let own = server.shards * (server.listeners.count + 2) + LimitSums.otherDescriptors
        descriptorsNeeded = server.maxConnections + own
        descriptorsAllowed = host.descriptors
        effectiveMaxConnections = max(1, min(server.maxConnections, host.descriptors - own))
        perShard = LimitSums.shardTerms(server, connections: effectiveMaxConnections)
        perProcess = LimitSums.processTerms(server)
        let tcpMost = host.tcpMemoryByteCount ?? .max
        kernelStandard = min(effectiveMaxConnections * host.socketBuffers.standard, tcpMost)
        kernelMost = min(effectiveMaxConnections * host.socketBuffers.most, tcpMost)
        memory = host.memoryByteCount
    }

    private static func shardTerms(_ server: ServerConfiguration, connections: Int) -> [Term] {
        var terms = [
            Term(name: "connections' buffers (memory_budget)", bytes: server.memoryBudgetPerShard),
            Term(name: "receive buffers, 256 x 32 KiB", bytes: 256 * (32 << 10)),
            Term(name: "connections, \(bytesPerConnection) bytes each", bytes: connections * bytesPerConnection),
            Term(name: "ring, 512 submissions and 4096 completions", bytes: 512 * 64 + 4096 * 16),
        ]
        if server.listeners.contains(where: \.isPacked) {
            terms.append(Term(name: "unpacking (max_payload_size)", bytes: server.payloadByteCountMax))
            terms.append(Term(name: "packing", bytes: 16 << 20))
        }
        if server.listeners.contains(where: \.isTLS) {
            terms.append(Term(name: "TLS, 64 KiB opened and 32 KiB of records", bytes: 96 << 10))
        }
        return terms
    }

    private static func processTerms(_ server: ServerConfiguration) -> [Term] {
        guard server.listeners.contains(where: \.isHandshake) else { return [] }
        let rate = server.handshakesPerSecondMax
        return [Term(name: "handshakes seen, \(bytesPerHandshake) bytes each", bytes: rate * bytesPerHandshake)]
    }

    private var shardSum: Int { perShard.reduce(0) { $0 + $1.bytes } }
    private var processSum: Int { perProcess.reduce(shards * shardSum) { $0 + $1.bytes } }

    var lines: [String] {
        let shardLines = perShard.map { "  \(LimitSums.size($0.bytes))  \($0.name)" }
        let processLines = perProcess.map { "  \(LimitSums.size($0.bytes))  \($0.name)" }
        let memoryText = memory.map { " of \(LimitSums.size($0).trimmed) on this host" } ?? ""
        return [
            "connections: \(effectiveMaxConnections) (asked for \(maxConnections); \(descriptorsNeeded) open files "
                + "needed, \(descriptorsAllowed) allowed)",
            "memory per event loop, at most:",
        ] + shardLines + [
            "  \(LimitSums.size(shardSum))  in all, for \(shards == 1 ? "one event loop" : "each of \(shards)")",
        ] + (processLines.isEmpty ? [] : ["memory once:"]) + processLines + [
            "memory in all, at most: \(LimitSums.size(processSum).trimmed)\(memoryText)",
            "kernel socket buffers: \(LimitSums.size(kernelStandard).trimmed) to begin with, "
                + "\(LimitSums.size(kernelMost).trimmed) at most",
        ]
    }

    var problems: [Problem] {
        var problems: [Problem] = []
        if effectiveMaxConnections < maxConnections {
            problems.append(
                Problem(
                    .warning, .standard, ServerKeys.maxConnections.option.path,
                    "\(maxConnections) connections need \(descriptorsNeeded) open files and \(descriptorsAllowed) are "
                        + "allowed, so there will be \(effectiveMaxConnections): raise the limit (LimitNOFILE=, "
                        + "ulimit -Hn), or lower it"))
        }
        if let memory, processSum + kernelStandard > memory {
            problems.append(
                Problem(
                    .warning, .standard, ServerKeys.memoryBudget.option.path,
                    "\(LimitSums.size(processSum).trimmed) at most and \(LimitSums.size(kernelStandard).trimmed) of "
                        + "socket buffers are more than the \(LimitSums.size(memory).trimmed) there are: lower it, or "
                        + "server.max_connections"))
        }
        return problems
    }

    /// Right-aligned: `    8.0 MiB`.
    private static func size(_ byteCount: Int) -> String {
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        let unit = units.first { byteCount >= $0.1 } ?? ("bytes", 1)
        let amount = decimal(Double(byteCount) / Double(unit.1), digits: unit.1 == 1 ? 0 : 1)
        let text = "\(amount) \(unit.0)"
        return String(repeating: " ", count: max(0, 11 - text.count)) + text
    }
}

extension String {
    fileprivate var trimmed: String { String(drop { $0 == " " }) }
}

extension ListenerConfiguration {
    fileprivate var isTLS: Bool {
        switch security {
        case .tls: true
        case .none, .handshake: false
        }
    }

    fileprivate var isHandshake: Bool {
        switch security {
        case .handshake: true
        case .none, .tls: false
        }
    }

    fileprivate var isPacked: Bool {
        switch security {
        case .handshake(_, let compression): !compression.algorithms.isEmpty
        case .none, .tls: false
        }
    }
}
