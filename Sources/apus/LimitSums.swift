// What a configuration comes to on this host, as `apus check` prints it: the server's own sums, beside the memory that
// the machine, or its control group, has. It adds nothing to them.

import ApusConfiguration
import ApusServer
import Foundation

struct LimitSums: Encodable {
    private struct ShownTerm: Encodable {
        let value: Int
        let reason: String
    }

    private struct ShownLimit: Encodable {
        let name: String
        let unit: String
        let sum: Int
        let available: Int?
        let terms: [ShownTerm]
    }

    private let server: ServerConfiguration
    private let limits: [EffectiveLimit]
    /// Bytes; nil where it cannot be told.
    private let memory: Int?

    init(_ server: ServerConfiguration, on host: HostLimits = .current(), memory: Int? = LimitSums.memoryHere()) {
        self.server = server
        self.memory = memory
        limits = server.effectiveLimits(on: host)
    }

    private func sum(of name: String) -> Int { limits.first { $0.name == name }?.sum ?? 0 }

    // MARK: Text

    var lines: [String] {
        limits.flatMap { limit in
            let available = limit.available.map { " of \(LimitSums.text($0, limit.unit))" } ?? ""
            let terms = limit.terms.count < 2 && limit.unit != .bytes ? [] : limit.terms
            return ["\(limit.name): at most \(LimitSums.text(limit.sum, limit.unit))\(available)"]
                + terms.map { "  \(LimitSums.padded(LimitSums.text($0.value, limit.unit)))  \($0.reason)" }
        } + (memory.map { ["memory of this host: \(LimitSums.text($0, .bytes))"] } ?? [])
    }

    var problems: [Problem] {
        var problems: [Problem] = []
        let connections = sum(of: "connections")
        if connections < server.maxConnections {
            problems.append(
                Problem(
                    .warning, .standard, ServerKeys.maxConnections.option.path,
                    "there will be \(connections) connections and not \(server.maxConnections), for want of "
                        + "descriptors: raise the limit (LimitNOFILE=, ulimit -Hn), or lower it"))
        }
        let process = sum(of: "memory of the process")
        if let memory, process > memory {
            problems.append(
                Problem(
                    .warning, .standard, ServerKeys.memoryBudget.option.path,
                    "\(LimitSums.text(process, .bytes)) at most are more than the "
                        + "\(LimitSums.text(memory, .bytes)) there are: lower it, or server.shards"))
        }
        return problems
    }

    private static func text(_ value: Int, _ unit: EffectiveLimit.Unit) -> String {
        guard unit == .bytes else { return "\(value)" }
        let units = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        let scale = units.first { value >= $0.1 } ?? ("bytes", 1)
        return "\(decimal(Double(value) / Double(scale.1), digits: scale.1 == 1 ? 0 : 1)) \(scale.0)"
    }

    /// Right-aligned.
    private static func padded(_ text: String) -> String {
        String(repeating: " ", count: max(0, 11 - text.count)) + text
    }

    // MARK: JSON

    enum CodingKeys: String, CodingKey {
        case limits, memory
    }

    func encode(to encoder: any Encoder) throws {
        var object = encoder.container(keyedBy: CodingKeys.self)
        try object.encodeIfPresent(memory, forKey: .memory)
        let shown = limits.map { limit in
            ShownLimit(
                name: limit.name, unit: limit.unit.rawValue, sum: limit.sum, available: limit.available,
                terms: limit.terms.map { ShownTerm(value: $0.value, reason: $0.reason) })
        }
        try object.encode(shown, forKey: .limits)
    }

    // MARK: This host

    /// The machine's memory, or the control group's where that is less.
    static func memoryHere() -> Int? {
        let machine = words("/proc/meminfo").dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
        let group = words("/sys/fs/cgroup/memory.max").first.flatMap { Int($0) }
        return [machine, group].compactMap(\.self).min()
    }

    /// Empty where the file is not: the host does not tell.
    private static func words(_ path: String) -> [Substring] {
        guard let bytes = FileManager.default.contents(atPath: path) else { return [] }
        return String(decoding: bytes, as: UTF8.self).split { $0.isWhitespace }
    }
}
