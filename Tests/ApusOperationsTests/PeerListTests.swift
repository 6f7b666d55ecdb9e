// `apus peers`: what a server listed, in which order, and what does not fit.

import Testing

@testable import ApusOperations

@Suite struct PeerListTests {
    private static let status = """
        {"relay":{"peers":4},"peers":[
        {"listener":"r","peer":"192.0.2.1:5","peer_id":"sha-b=","age_seconds":60,
         "received_bytes":5,"sent_bytes":5,"queued_bytes":9},
        {"listener":"r","peer":"192.0.2.2:5","peer_id":"sha-a=","age_seconds":90061,
         "received_bytes":1,"sent_bytes":2,"queued_bytes":0},
        {"listener":"r","peer":"unix:","peer_id":"sha-\\u001b[2Jc","age_seconds":5,
         "received_bytes":99999,"sent_bytes":0}]}
        """

    private func list(
        _ order: PeerList.Order, _ json: String = status, countMax: Int = 10
    ) throws -> PeerList {
        try PeerList(json: Array(json.utf8), by: order, countMax: countMax)
    }

    @Test(arguments: [
        (PeerList.Order.id, ["c", "a", "b"]), (.age, ["a", "b", "c"]), (.bytes, ["c", "b", "a"]),
        (.queue, ["b", "c", "a"]),
    ])
    func theOrderIsWhatWasAsked(order: PeerList.Order, ids: [String]) throws {
        let found = try list(order).peers.map { peer in String(peer.id.filter { "abc".contains($0) }.suffix(1)) }
        #expect(found == ids)
        // What is cut off is what comes last, not what the server names last.
        let first = try list(order, countMax: 1)
        #expect(first.peers.map(\.address) == (try list(order).peers.prefix(1).map(\.address)))
        #expect(first.lines(width: 120).last == "and 3 more: raise --limit")
    }

    @Test func linesAreATable() throws {
        let lines = try list(.id).lines(width: 120)
        #expect(lines.count == 5)
        #expect(lines[0].hasPrefix("peer") && lines[0].hasSuffix("waiting"))
        #expect(lines[2].hasPrefix("sha-a=") && lines[2].contains("192.0.2.2:5") && lines[2].contains("1d 01:01:01"))
        #expect(lines[4] == "and 1 more: raise --limit")
        // Nothing that a server says moves the cursor.
        #expect(lines[1].hasPrefix("sha-?[2Jc"))
        #expect(try list(.id).lines(width: 30).allSatisfy { $0.count <= 30 })
    }

    @Test func nobodyIsNobody() throws {
        #expect(try list(.id, #"{"peers":[]}"#).lines(width: 80) == ["no peers"])
    }

    @Test(arguments: ["", "x", "[]", "{}", #"{"peers":5}"#])
    func whatIsNoListIsTold(json: String) {
        #expect(throws: StatusUnreadable.self) { try PeerList(json: Array(json.utf8), by: .id, countMax: 10) }
    }
}
