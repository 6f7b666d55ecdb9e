// What the host is to carry: as much of a server's configuration as the host's limits are held against.

package struct ServicePlan: Sendable {
    package enum Security: Equatable, Sendable {
        case none, handshake, tls
    }

    package struct Listener: Sendable {
        package var name: String
        /// `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`.
        package var address: String
        package var security: Security
        /// Connections that the kernel keeps until they are accepted.
        package var backlog = 4096

        package init(name: String, address: String, security: Security) {
            (self.name, self.address, self.security) = (name, address, security)
        }

        /// Nil for a UNIX path.
        var port: Int? {
            guard !address.hasPrefix("unix:"), let colon = address.lastIndex(of: ":") else { return nil }
            return Int(address[address.index(after: colon)...])
        }
    }

    /// Event loops, one thread each.
    package var shards: Int
    package var maxConnections: Int
    /// Bytes that all connections of one shard may hold in buffers.
    package var memoryBudgetPerShard: Int
    package var listeners: [Listener]
    /// Files that only their owner may read, with what they are called: `psk_file`.
    package var secretFiles: [(setting: String, path: String)] = []
    /// Where the settings come from, for fixes that change them; nil: flags and defaults.
    package var configurationFile: String?

    package init(shards: Int, maxConnections: Int, memoryBudgetPerShard: Int, listeners: [Listener]) {
        self.shards = shards
        self.maxConnections = maxConnections
        self.memoryBudgetPerShard = memoryBudgetPerShard
        self.listeners = listeners
    }

    /// Descriptors for all connections: what the server reckons with (ARCHITECTURE.md, "Limits").
    var descriptorCount: Int { maxConnections + fixedDescriptorCount }

    /// Each shard has its listening sockets, its ring and its eventfd; 32 are for everything else.
    var fixedDescriptorCount: Int { shards * (listeners.count + 2) + 32 }

    /// What the kernel counts as locked: for each ring its queues and its list of buffers, 112 KiB on Linux 6.18.
    var lockedByteCount: Int { shards * (128 << 10) }

    /// What shards take whether or not anybody connects: 8 MiB of receive buffers, the ring's queues, TLS's rooms.
    var memoryByteCountMin: Int { shards * (16 << 20) }

    /// With every buffer in use and every connection there: each has a slot, a timer and, at worst, keys.
    var memoryByteCountMax: Int { memoryByteCountMin + shards * memoryBudgetPerShard + maxConnections * 1024 }

    /// A fix that changes a setting of ours.
    func fix(_ key: String, flag: String, _ value: Int) -> Fix {
        if let configurationFile { return .line("\(key) = \(value)", file: "\(configurationFile), under [server]") }
        return .command("apus serve \(flag) \(value) ...")
    }
}
