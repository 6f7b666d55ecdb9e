// What idle connections cost, as it is reported. The names and units of the encoded form are what scripts read.

import ApusReactor

/// Memory while so many connections are idle, in bytes.
struct IdleReading {
    let made: Int
    let alive: Int
    let resident: Int
    let proportional: Int
    /// Of all TCP sockets of the host; nil: it does not tell.
    let sockets: Int?
}

extension IdleReading {
    init(of pid: Int32, made: Int, alive: Int) throws(LoadError) {
        (self.made, self.alive) = (made, alive)
        resident = try serverMemory(of: pid)
        do throws(ProcessUnreadable) {
            proportional = try proportionalByteCount(of: pid)
        } catch {
            throw .server(error)
        }
        sockets = SocketMemory.tcpByteCountInUse()
    }
}

package struct IdleReport: Equatable, Sendable {
    package var address: String
    /// What they speak: `packet` or `relay`.
    package var session: String
    /// Made, exchanged a message and were idle at the second reading.
    package var connections: Int
    /// The same at the first reading.
    package var baseline: Int
    /// Those still open at the end.
    package var alive: Int
    package var pid: Int32
    /// The server's own memory at the two readings: what it allocated and touched.
    package var rssBytesBaseline: Int
    package var rssBytes: Int
    package var bytesPerConnection: Double
    /// The same with its share of pages that others map too.
    package var pssBytesPerConnection: Double
    /// What the kernel keeps for the queues of both ends, where both are on this host; nil: it does not tell.
    package var socketBytesPerConnection: Double?

    init(_ configuration: IdleLoadConfiguration, from baseline: IdleReading, to full: IdleReading) {
        let added = full.alive - baseline.alive
        func each(_ after: Int, _ before: Int) -> Double { added > 0 ? Double(after - before) / Double(added) : 0 }
        address = "\(configuration.address)"
        session = configuration.session.name
        (connections, self.baseline, alive) = (full.made, baseline.made, full.alive)
        pid = configuration.serverPID
        (rssBytesBaseline, rssBytes) = (baseline.resident, full.resident)
        bytesPerConnection = each(full.resident, baseline.resident)
        pssBytesPerConnection = each(full.proportional, baseline.proportional)
        if let after = full.sockets, let before = baseline.sockets { socketBytesPerConnection = each(after, before) }
    }
}

extension IdleReport: Encodable {
    enum CodingKeys: String, CodingKey {
        case kind, address, session, connections, baseline, alive, pid
        case rssBytesBaseline = "rss_bytes_baseline"
        case rssBytes = "rss_bytes"
        case bytesPerConnection = "bytes_per_connection"
        case pssBytesPerConnection = "pss_bytes_per_connection"
        case socketBytesPerConnection = "socket_bytes_per_connection"
    }
    /// Written out because what is absent is encoded as null, not left out.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode("idle", forKey: .kind)
        try container.encode(address, forKey: .address)
        try container.encode(session, forKey: .session)
        try container.encode(connections, forKey: .connections)
        try container.encode(baseline, forKey: .baseline)
        try container.encode(alive, forKey: .alive)
        try container.encode(pid, forKey: .pid)
        try container.encode(rssBytesBaseline, forKey: .rssBytesBaseline)
        try container.encode(rssBytes, forKey: .rssBytes)
        try container.encode(bytesPerConnection, forKey: .bytesPerConnection)
        try container.encode(pssBytesPerConnection, forKey: .pssBytesPerConnection)
        try container.encode(socketBytesPerConnection, forKey: .socketBytesPerConnection)
    }
}
