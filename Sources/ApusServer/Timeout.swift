// A time that something may take. It is not a timer: it says when one is due.

import ApusReactor

struct Timeout: BitwiseCopyable, Sendable {
    let length: Nanoseconds
    /// Nothing counts from before: a reload that shortens a timeout ends no connection that was in time until then.
    private var since = Instant(nanoseconds: 0)

    init(_ length: Duration) { self.length = Nanoseconds(length) }

    /// When what began at `start` has taken too long.
    @inline(__always)
    func deadline(from start: Instant) -> Instant { max(start, since) + length }

    /// When `count` times its length has passed.
    func deadline(from start: Instant, count: UInt64) -> Instant { max(start, since) + length * count }

    /// - Parameter isStricter: what is added to its length became less.
    func replaced(by new: Timeout, at now: Instant, isStricter: Bool = false) -> Timeout {
        var new = new
        new.since = isStricter || new.length < length ? now : since
        return new
    }

    /// - Parameter old: nil: there was none.
    static func replacing(_ old: Timeout?, by new: Timeout, at now: Instant) -> Timeout {
        if let old { return old.replaced(by: new, at: now) }
        var new = new
        new.since = now
        return new
    }
}
