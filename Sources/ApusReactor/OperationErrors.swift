// What each errno of an operation means for whoever asked for it. Every errno has a named reaction; the last case of
// each is for those the kernel does not document.

import Glibc

/// How an accept ended, from its errno (accept(2)).
package enum AcceptError: Equatable, Sendable {
    /// No descriptor or no memory is left, here or in the whole system.
    case exhausted
    /// The peer was gone, or its network reported an error meanwhile; the listener is fine.
    case aborted
    case cancelled
    /// Nothing accept(2) documents for a listener that is fine: to be tried again, but not at once.
    case failed

    package init(_ errno: Int32) {
        switch errno {
        case EMFILE, ENFILE, ENOBUFS, ENOMEM: self = .exhausted
        case ECANCELED, EINTR, EAGAIN: self = .cancelled
        case ECONNABORTED, EPROTO, ENETDOWN, ENETUNREACH, EHOSTDOWN, EHOSTUNREACH, ENOPROTOOPT, ENONET, ETIMEDOUT:
            self = .aborted
        default: self = .failed
        }
    }
}

/// How a receive that brought no bytes ended, from its result (recv(2)).
package enum ReceiveError: Equatable, Sendable {
    /// The peer's FIN.
    case finished
    /// No provided buffer was free: flow control, not an error.
    case starved
    /// Cancelled by us, or to be tried again.
    case interrupted
    case reset
    case failed

    package init(_ result: Int32) {
        switch -result {
        case 0: self = .finished
        case ENOBUFS: self = .starved
        case ECANCELED, EINTR, EAGAIN: self = .interrupted
        case ECONNRESET, EPIPE, ETIMEDOUT, ECONNREFUSED, EHOSTUNREACH, ENETUNREACH: self = .reset
        default: self = .failed
        }
    }
}

/// How a send failed, from its result (send(2)).
package enum SendError: Equatable, Sendable {
    /// Cancelled by us, or to be tried again.
    case interrupted
    case reset
    case failed

    package init(_ result: Int32) {
        switch -result {
        case ECANCELED, EINTR, EAGAIN: self = .interrupted
        case ECONNRESET, EPIPE, ETIMEDOUT, ENOTCONN, EHOSTUNREACH, ENETUNREACH: self = .reset
        default: self = .failed
        }
    }
}
