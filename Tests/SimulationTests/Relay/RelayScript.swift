// What one simulated peer does from its upgrade to its end, and how it deserves to be treated. It knows nothing of
// sockets or time.

import ApusReactor
import ApusServer

/// How a peer begins.
enum RelayOpening {
    /// Says nothing at all.
    case silent
    /// Asks for a WebSocket and then says no more.
    case upgradeOnly
    /// Something for which it is turned away.
    case refused([UInt8], CloseReason)
    /// Upgrade and a first message: Auth, or what is to be one.
    case login([UInt8], refusedFor: CloseReason?)
}

enum RelayAct {
    case datagram(to: Int, byteCount: Int)
    case subscribe([Int])
    case unsubscribe([Int])
    case ping
    case oddList
    case rest(Nanoseconds)
}

extension RelayAct {
    /// About what it says.
    var byteCount: Int {
        switch self {
        case .datagram(_, let byteCount): 46 + byteCount
        case .subscribe(let ids), .unsubscribe(let ids): 10 + 36 * ids.count
        case .ping, .oddList: 100
        case .rest: 0
        }
    }
}

/// How a peer ends its side when it has done all it wanted.
enum RelayScriptEnding {
    case stay
    case finish
    /// The relay's Close, or WebSocket's.
    case goodbye
    case closeFrame
    /// A frame for which the relay ends the connection.
    case last([UInt8], reason: CloseReason)
    /// A part of a frame, then FIN.
    case truncate
    case reset
    case vanish
    /// PINGs, more than it may send, and then it stays.
    case flood
}

struct RelayScript {
    let id: Int
    var opening: RelayOpening
    var acts: [RelayAct] = []
    var ending = RelayScriptEnding.stay
    /// Does not wait for the answers to its upgrade and its login.
    var isEager = false
    /// The chance of each message to be sent in fragments.
    var fragmentsPerMille = 0
    /// Asks again when it has heard that a peer is gone.
    var resubscribes = true
    /// Reads no more once it has heard so many datagrams.
    var stallsBehind: UInt64?

    /// The relay is to take it for a peer.
    var becomesPeer: Bool {
        if case .login(_, nil) = opening { return true }
        return false
    }
}

extension RelayScript: CustomStringConvertible {
    var description: String {
        let beginning =
            switch opening {
            case .silent: "is silent"
            case .upgradeOnly: "only upgrades"
            case .refused(_, let reason): "begins with \(reason)"
            case .login(_, let reason): reason.map { "logs in for \($0)" } ?? "is a peer"
            }
        let stall = stallsBehind.map { ", stalls behind \($0)" } ?? ""
        return "\(beginning) with id \(id)\(fragmentsPerMille > 0 ? ", in fragments" : "")\(stall), ends: \(ending)"
    }
}
