// A server that reads a configuration file, as a process or inside this one, and what tests see of it from outside:
// connections, HTTP, metrics, its end.

import ApusConfiguration
import ApusServer
import ApusWire
import Glibc
import TestSupport

protocol ServedFile: Sendable {
    /// Where it listens, in the order of the file.
    var places: [(speech: ListenerProtocol, address: String)] { get }
    var watch: WatchingPeer { get }
}

extension ServedFile {
    /// Of the first listener that speaks so; empty: there is none.
    func address(of speech: ListenerProtocol = .packet) -> String {
        places.first { $0.speech == speech }?.address ?? ""
    }

    func connect(receiveBufferByteCount: Int? = nil) throws -> Peer {
        try Peer(to: address(), receiveBufferByteCount: receiveBufferByteCount)
    }

    /// One request on a connection of its own.
    func get(_ target: String, host: String = "localhost", at address: String? = nil) throws -> HTTPAnswer {
        try httpAnswer("GET", target, host: host, at: address ?? self.address(of: .admin))
    }

    /// The samples of a metric: their labels and values.
    func samples(_ name: String) throws -> [(labels: String, value: Double)] {
        try watch.request("/metrics", at: address(of: .admin)).body.split(separator: "\n").compactMap { line in
            guard line.hasPrefix(name), let end = line.lastIndex(of: " ") else { return nil }
            let labels = line[..<end].dropFirst(name.count)
            guard labels.isEmpty || labels.hasPrefix("{") else { return nil }
            return (String(labels), Double(line[line.index(after: end)...]) ?? 0)
        }
    }

    /// The sum over those of the listener named edge, or of none.
    func metric(_ name: String) throws -> Int {
        let own = try samples(name).filter { !$0.labels.contains("\"watch\"") }
        return Int(own.reduce(0) { $0 + $1.value })
    }

    /// Whether a metric comes to this value in the end.
    func has(_ value: Int, _ name: String) -> Bool {
        eventually {
            do {
                return try metric(name) == value
            } catch {
                return false
            }
        }
    }

    /// Why the server closed a peer that waits for it.
    /// - Parameter outlasting: it waits a while and then finishes itself, which must be the reason.
    func closeReason(of peer: Peer, outlasting isPatient: Bool = false) throws -> String {
        if isPatient { usleep(300_000) }
        if isPatient { peer.finishSending() }
        let reason = try closeReason()
        peer.close()
        return reason
    }

    /// The one reason for which a packet connection was closed, as soon as one was.
    func closeReason() throws -> String {
        var reasons: [String] = []
        for _ in 0..<1000 {
            reasons = try samples("apus_connections_closed_total")
                .filter { $0.value > 0 }
                .compactMap { $0.labels.firstMatch(of: /reason="([a-z_]+)"/).map { String($0.1) } }
            if !reasons.isEmpty { break }
            usleep(10_000)
        }
        return reasons.joined(separator: " ")
    }
}

/// `apus serve` as a process.
final class ServedByProcess: ServedFile {
    let command: RunningCommand
    let places: [(speech: ListenerProtocol, address: String)]
    let watch = WatchingPeer()

    /// - Parameter listeners: how many it announces.
    init(_ path: String, listeners: Int) throws {
        command = try RunningCommand(["serve", "--config", path])
        places = command.lines(listeners).compactMap { line in
            guard let found = line.firstMatch(of: /listening on ([^ ]+) \(([a-z]+),/) else { return nil }
            return ListenerProtocol(rawValue: String(found.2)).map { ($0, String(found.1)) }
        }
    }

    func stop(_ signal: Int32 = SIGTERM) -> Finished {
        command.signal(signal)
        return command.finish()
    }
}

/// The same server in this process, where handlers can be registered and descriptors looked at.
final class ServedHere: ServedFile {
    let handle: ServerHandle
    let places: [(speech: ListenerProtocol, address: String)]
    let watch = WatchingPeer()

    init(_ configuration: Configuration, _ handle: ServerHandle) {
        self.handle = handle
        places = zip(configuration.listeners, handle.boundAddresses).map { ($0.speaks, $1) }
    }
}

extension Peer {
    /// What it gets for a PING: `pong`, or `closed`, with a FIN or a reset.
    func fate(of message: Message = .ping) -> String {
        do {
            guard let reply = try request(message) else { return "closed" }
            return reply == .pong ? "pong" : "\(reply.kind)"
        } catch {
            return "closed"
        }
    }
}
