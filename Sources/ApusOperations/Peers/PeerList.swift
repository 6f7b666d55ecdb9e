// The relay's peers as a server listed them, as a table and as an object. It asks nobody.

import Foundation

package struct PeerList: Encodable, Sendable {
    package enum Order: String, CaseIterable, Sendable {
        case id, age, bytes, queue
    }

    struct Peer: Encodable, Sendable {
        let id, address, listener: String
        let ageSeconds, receivedBytes, sentBytes, queuedBytes: Double

        enum CodingKeys: String, CodingKey {
            case id, address, listener
            case ageSeconds = "age_seconds"
            case receivedBytes = "received_bytes"
            case sentBytes = "sent_bytes"
            case queuedBytes = "queued_bytes"
        }
    }

    let kind = "peers"
    /// All that are connected, listed or not.
    let connected: Double
    let peers: [Peer]

    enum CodingKeys: String, CodingKey {
        case kind, connected, peers
    }

    /// - Parameters:
    ///   - json: of `/status?peers=N`.
    ///   - countMax: of those that come first in that order.
    package init(json: [UInt8], by order: Order, countMax: Int) throws(StatusUnreadable) {
        let value: StatusValue
        do {
            value = try JSONDecoder().decode(StatusValue.self, from: Data(json))
        } catch {
            throw StatusUnreadable("what answers there sends no JSON: is it a control socket?")
        }
        guard case .list(let rows) = value["peers"] else {
            throw StatusUnreadable("the server lists no peers: is it of an earlier version?")
        }
        peers = Array(rows.map(Peer.init).sorted { order.precedes($0, $1) }.prefix(countMax))
        connected = value["relay"]["peers"].number ?? Double(rows.count)
    }

    /// A heading and a line for each.
    package func lines(width: Int) -> [String] {
        guard !peers.isEmpty else { return ["no peers"] }
        let table = TextTable(columns: [
            .text("peer", peers.map(\.id)),
            .text("address", peers.map(\.address), dispensability: 1),
            .text("listener", peers.map(\.listener), dispensability: 5),
            .number("age", peers.map { age($0.ageSeconds) }, dispensability: 2),
            .number("received", peers.map { brief($0.receivedBytes) }, dispensability: 3),
            .number("sent", peers.map { brief($0.sentBytes) }, dispensability: 4),
            .number("waiting", peers.map { brief($0.queuedBytes) }, dispensability: 1),
        ])
        let rest = Int(connected) - peers.count
        return table.lines(width: width) + (rest > 0 ? ["and \(rest) more: raise --limit"] : [])
    }
}

extension PeerList.Order {
    /// Whoever is oldest, moved most or has most waiting comes first; ids decide between equals.
    fileprivate func precedes(_ left: PeerList.Peer, _ right: PeerList.Peer) -> Bool {
        let (leftWeight, rightWeight) = (weight(left), weight(right))
        return leftWeight == rightWeight ? left.id < right.id : leftWeight > rightWeight
    }

    private func weight(_ peer: PeerList.Peer) -> Double {
        switch self {
        case .id: 0
        case .age: peer.ageSeconds
        case .bytes: peer.receivedBytes + peer.sentBytes
        case .queue: peer.queuedBytes
        }
    }
}

extension PeerList.Peer {
    fileprivate init(_ value: StatusValue) {
        id = value["peer_id"].text ?? "?"
        address = value["peer"].text ?? "?"
        listener = value["listener"].text ?? "?"
        ageSeconds = value["age_seconds"].number ?? 0
        receivedBytes = value["received_bytes"].number ?? 0
        sentBytes = value["sent_bytes"].number ?? 0
        queuedBytes = value["queued_bytes"].number ?? 0
    }
}
