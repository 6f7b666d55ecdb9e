// What a simulated kernel has told its user, to be compared with what the user counted.

import ApusReactor
import Glibc

struct KernelTally {
    var accepted: UInt64 = 0
    var acceptsExhausted: UInt64 = 0
    var acceptsAborted: UInt64 = 0
    var acceptsFailed: UInt64 = 0
    var bytesReceived: UInt64 = 0
    var bytesSent: UInt64 = 0
    var sends: UInt64 = 0
    var starvedReceives: UInt64 = 0
    var endedReceives: UInt64 = 0
    var cancelledReceives: UInt64 = 0
    var cancelledSends: UInt64 = 0
    var cancelsTooLate: UInt64 = 0
    var completions: UInt64 = 0
    /// Completions for earlier tenants.
    var stale: UInt64 = 0

    /// A completion has been taken by the user.
    mutating func count(_ completion: Completion, isStale: Bool) {
        completions += 1
        if isStale {
            stale += 1
            return
        }
        switch completion.token.operation {
        case .accept: countAccept(completion.result)
        case .receive: countReceive(completion)
        case .send: countSend(completion.result)
        case .cancel: if completion.result == -ENOENT { cancelsTooLate += 1 }
        case .connect, .shutdown, .close, .wake, .doorbell, .ring, nil: break
        }
    }

    private mutating func countAccept(_ result: Int32) {
        switch result {
        case 0...: accepted += 1
        case -EMFILE: acceptsExhausted += 1
        case -ECONNABORTED: acceptsAborted += 1
        case -EINVAL: acceptsFailed += 1
        default: break
        }
    }

    private mutating func countReceive(_ completion: Completion) {
        if let lease = completion.lease { bytesReceived += UInt64(lease.byteCount) }
        if completion.lease != nil, !completion.hasMore { endedReceives += 1 }
        if completion.result == -ENOBUFS { starvedReceives += 1 }
        if completion.result == -ECANCELED { cancelledReceives += 1 }
    }

    private mutating func countSend(_ result: Int32) {
        if result >= 0 {
            sends += 1
            bytesSent += UInt64(result)
        } else if result == -ECANCELED {
            cancelledSends += 1
        }
    }
}
