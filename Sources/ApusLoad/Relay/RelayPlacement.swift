// Which peers make a pair, by the shard that the kernel gave each: a client cannot choose one, and a relay does not
// say. A peer that writes to itself shows it, for only its own shard's thread is busy with that.

import ApusReactor

package enum RelayPlacement: String, CaseIterable, Sendable {
    /// As it comes.
    case any
    /// Both peers of each pair on one shard.
    case same
    /// On two.
    case different

    /// The kernel spreads connections at random: of so many peers, both shards of two get enough.
    func candidateCount(pairs: Int) -> Int { self == .any ? 2 * pairs : 4 * pairs + 16 }

    /// Pairs of peers that have logged in.
    func pairs(
        _ count: Int, of peers: inout RelayPeers, _ serverPID: Int32?
    ) throws(LoadError) -> [(Int, Int)] {
        guard self != .any, let serverPID else { return (0..<count).map { (2 * $0, 2 * $0 + 1) } }
        let groups = try RelayPlacement.groups(&peers, serverPID)
        let pairs = self == .same ? RelayPlacement.within(groups) : RelayPlacement.across(groups)
        guard pairs.count >= count else {
            throw .unplaced(pairs: count, found: pairs.count, shards: groups.count)
        }
        return Array(pairs.prefix(count))
    }

    static func within(_ groups: [[Int]]) -> [(Int, Int)] {
        groups.flatMap { group in
            stride(from: 0, to: group.count - 1, by: 2).map { (group[$0], group[$0 + 1]) }
        }
    }

    /// Of the two shards that have most. Which of them sends alternates, so that neither has only senders.
    static func across(_ groups: [[Int]]) -> [(Int, Int)] {
        let largest = groups.sorted { $0.count > $1.count }
        guard largest.count > 1 else { return [] }
        return zip(largest[0], largest[1]).enumerated().map { $0 % 2 == 0 ? $1 : ($1.1, $1.0) }
    }
}

// MARK: Finding out

extension RelayPlacement {
    private static let datagramCount = 32
    /// Long enough for a relay that answers, which takes a hundredth of it, and for its thread to be asleep again.
    private static let patience: Nanoseconds = 200 * .millisecond
    private static let rest: Nanoseconds = 1 * .millisecond

    /// Peers by the server's thread that serves them.
    private static func groups(_ peers: inout RelayPeers, _ serverPID: Int32) throws(LoadError) -> [[Int]] {
        var groups: [String: [Int]] = [:]
        for index in 0..<peers.count {
            let before = try threads(of: serverPID)
            writeToItself(&peers, index)
            let after = try threads(of: serverPID)
            let busiest = after.max { $0.value - (before[$0.key] ?? 0) < $1.value - (before[$1.key] ?? 0) }
            if let busiest { groups[busiest.key, default: []].append(index) }
        }
        return groups.sorted { $0.key < $1.key }.map(\.value)
    }

    private static func writeToItself(_ peers: inout RelayPeers, _ index: Int) {
        var book = RelayBook(countsDepartures: false)
        peers.pair(index, index)
        peers.request(datagramCount, from: index)
        peers.flush(&book)
        let deadline = peers.now + patience
        while book.delivered < datagramCount, peers.now < deadline { peers.turn(until: deadline, &book) }
        let rested = peers.now + rest
        while peers.now < rested { peers.turn(until: rested, &book) }
    }

    private static func threads(of pid: Int32) throws(LoadError) -> [String: Nanoseconds] {
        do throws(ProcessUnreadable) {
            return try threadCPU(of: pid)
        } catch {
            throw .server(error)
        }
    }
}
