// HTTP as an operator's tool speaks it, for tests: a request, and the response that comes.

import Synchronization
import TestSupport

/// The response that a peer sends next.
struct HTTPAnswer {
    let status: Int
    let body: String

    /// As long as it says it is; status 0: there was none.
    init(from peer: Peer) throws {
        var bytes: [UInt8] = []
        while !HTTPAnswer.isWhole(bytes) {
            let more = try peer.readSome()
            if more.isEmpty { break }
            bytes += more
        }
        let text = String(decoding: bytes, as: UTF8.self)
        status = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        body = text.firstRange(of: "\r\n\r\n").map { String(text[$0.upperBound...]) } ?? ""
    }

    private static func isWhole(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { return false }
        let length = text[..<end.lowerBound].firstMatch(of: /(?i)content-length: ([0-9]+)/).flatMap { Int($0.1) }
        return text[end.upperBound...].utf8.count >= length ?? 0
    }
}

/// One request on a connection of its own.
func httpAnswer(
    _ method: String, _ target: String, host: String = "localhost", at address: String
) throws -> HTTPAnswer {
    let peer = try Peer(to: address)
    let fields = "Host: \(host)\r\nContent-Length: 0\r\nConnection: close"
    let request = "\(method) \(target) HTTP/1.1\r\n\(fields)\r\n\r\n"
    try peer.send(bytes: Array(request.utf8))
    return try HTTPAnswer(from: peer)
}

/// One connection for all looks at the metrics, which would otherwise count those who looked.
final class WatchingPeer: Sendable {
    private let peer = Mutex<Peer?>(nil)

    func request(_ target: String, at address: String) throws -> HTTPAnswer {
        try peer.withLock { kept in
            let peer = try kept ?? Peer(to: address)
            kept = peer
            try peer.send(bytes: Array("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            return try HTTPAnswer(from: peer)
        }
    }
}
