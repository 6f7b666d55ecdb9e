// What must hold in every run, and the value that says what did not. Never a trap: a planted fault has to be observed.

import ApusReactor

enum Invariant: String, Sendable {
    // What a user of a ring must not do.
    case foreignDescriptor, operationOnClosedDescriptor, closedWhileHeld
    case acceptArmedTwice, receiveArmedTwice, secondSendInFlight, shutDownTwice, wakeAwaitedTwice
    case leaseRecycledTwice, leaseNotRecycled, bytesInFlightChanged

    // What holds at the end of every turn.
    case bitsDisagree, connectionCountDisagrees, tooManyConnections, chunksDisagree
    case outboundOverLimit, inboundOverLimit, asyncOverLimit
    case bytesIgnored, noProgress, endlessTurns, overdue, pingMissing

    // What a client may rely on.
    case wrongReply, unexpectedReply, replyMissing, resetInsteadOfReplies, unjustifiedClose, toldToLeaveTooEarly

    // What a relay's peers may rely on.
    case authNotFirst, datagramChanged, datagramMisled, datagramTwice, datagramOvertaken, datagramsUnaccounted
    case newsUntrue, holdersDisagree, epochWentBack, peersLeaked, backlogOverLimit
    // What shards may rely on.
    case mailForgotten

    // What holds when the shard has ended.
    case descriptorLeaked, slotLeaked, chunkLeaked, asyncReplyLeaked, hostPlaceLeaked, countersDisagree
}

struct Violation: Error, CustomStringConvertible {
    let invariant: Invariant
    let detail: String
    let time: Instant
    let turn: Int

    var description: String {
        "\(invariant.rawValue): \(detail) (turn \(turn), at \(Double(time.nanoseconds) / 1e9) s)"
    }
}
