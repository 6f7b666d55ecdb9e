// An operator's tool as tests have it: raw requests over a socket, responses read by their Content-Length. It shares no
// code with the server's HTTP.

import ApusReactor
import ApusServer
import TestSupport

struct AdminReply: Equatable {
    var status: Int
    /// Names in lower case.
    var fields: [String: String]
    var body: String
}

final class AdminPeer {
    private let peer: Peer
    private var unread: [UInt8] = []

    init(to address: String) throws { peer = try Peer(to: address) }

    func send(_ text: String) throws { try peer.send(bytes: Array(text.utf8)) }

    func finishSending() { peer.finishSending() }
    func close() { peer.close() }

    /// The next response; nil when the server has finished.
    func read(isHead: Bool = false) throws -> AdminReply? {
        while true {
            if let end = AdminPeer.endOfHead(unread) {
                let head = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeFirst(end + 4)
                return try reply(head, isHead)
            }
            let more = try peer.readSome()
            if more.isEmpty { return nil }
            unread += more
        }
    }

    private static func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        return (0...bytes.count - 4).first { bytes[$0..<$0 + 4].elementsEqual([13, 10, 13, 10]) }
    }

    private func reply(_ head: String, _ isHead: Bool) throws -> AdminReply {
        let lines = head.split(separator: "\r\n")
        var fields: [String: String] = [:]
        for line in lines.dropFirst() {
            let name = line.prefix { $0 != ":" }
            fields[name.lowercased()] = String(line.dropFirst(name.count + 2))
        }
        let length = isHead ? 0 : Int(fields["content-length"] ?? "") ?? 0
        while unread.count < length {
            let more = try peer.readSome()
            if more.isEmpty { throw PeerError.truncated }
            unread += more
        }
        let body = String(decoding: unread.prefix(length), as: UTF8.self)
        unread.removeFirst(length)
        return AdminReply(status: Int(lines[0].split(separator: " ")[1]) ?? 0, fields: fields, body: body)
    }

    /// One request on this connection.
    func request(_ target: String, method: String = "GET", host: String = "localhost") throws -> AdminReply? {
        try send("\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
        return try read(isHead: method == "HEAD")
    }
}

extension RunningServer {
    /// The address of the admin listener, which is the second.
    var adminAddress: String { handle.boundAddresses[1] }

    /// One request on a connection of its own.
    func admin(_ target: String, method: String = "GET", host: String = "localhost") throws -> AdminReply? {
        try AdminPeer(to: adminAddress).request(target, method: method, host: host)
    }
}

/// A packet listener and, second, an admin listener.
func withAdmin(
    at address: String = "127.0.0.1:0", _ tier: RingTier = .newest, _ change: (inout Server) -> Void = { _ in },
    _ body: (RunningServer) throws -> Void
) async throws {
    try await withServer(tier) { server in
        server.configuration.listeners.append(
            ListenerConfiguration(name: "admin", address: address, session: .admin))
        server.configuration.admin.version = "1.2.3"
        change(&server)
    } _: { server in
        try body(server)
    }
}
