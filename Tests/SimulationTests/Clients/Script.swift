// What one simulated client says from first to last, and what it must hear: the oracle of a simulation. It knows
// nothing of sockets or time.

import ApusServer

/// What becomes of an asynchronous request; the simulation posts it, out of order.
enum AsyncFate {
    case reply([UInt8])
    case silence
    case failed
    /// The reply would be longer than a packet can be: the connection ends.
    case tooLarge
}

struct Request {
    var bytes: [UInt8]
    /// The packets that answer it, in order.
    var replies: [[UInt8]] = []
    var asyncFate: AsyncFate?
    /// Puts off the idle timeout; PING and PONG do not.
    var isMessage = true
}

/// How a client ends its side.
enum ScriptEnding {
    /// Remains until it is told to leave.
    case stay
    /// FIN behind the last request.
    case finish
    /// FIN when all is answered.
    case finishAnswered
    /// Bytes for which the server ends the connection, and whatever is sent after them.
    case last([UInt8], reason: CloseReason)
    /// A part of a packet, then FIN.
    case truncate([UInt8])
    case reset
    /// Neither reads nor writes any more, and does not say so.
    case vanish
}

struct Script {
    var session: SessionKind
    var requests: [Request] = []
    var ending: ScriptEnding
}

extension ScriptEnding: CustomStringConvertible {
    var description: String {
        switch self {
        case .stay: "stays"
        case .finish: "finishes"
        case .finishAnswered: "finishes when answered"
        case .last(let bytes, let reason): "ends with \(bytes.count) bytes for \(reason)"
        case .truncate(let bytes): "breaks off after \(bytes.count) bytes"
        case .reset: "resets"
        case .vanish: "vanishes"
        }
    }
}

/// What a script asks of a server at most, and what it is owed; made once, because every turn looks at it.
struct ScriptBounds {
    let requestByteCountMax: Int
    /// All replies to one request together.
    let replyByteCountMax: Int
    /// Where the asynchronous requests stand among all.
    let asyncPlaces: [Int]
    /// How many replies are due once so many requests have been made.
    let repliesBehind: [Int]

    init(_ script: Script) {
        let requests = script.requests
        func byteCount(_ request: Request) -> Int { request.replies.reduce(0) { $0 + $1.count } }
        requestByteCountMax = requests.map(\.bytes.count).max() ?? 0
        replyByteCountMax = requests.map(byteCount).max() ?? 0
        asyncPlaces = requests.indices.filter { requests[$0].asyncFate != nil }
        repliesBehind = requests.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.replies.count) }
    }
}
