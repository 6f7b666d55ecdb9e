// What happens when, in virtual time. Things of the same time happen in the order in which they were added.

import ApusReactor

struct Timeline<Element> {
    /// The latest first, so that the earliest is taken from the end. There are a few dozen at most.
    private var entries: [(time: Instant, element: Element)] = []

    var isEmpty: Bool { entries.isEmpty }
    /// `.never` when there is nothing.
    var earliest: Instant { entries.last?.time ?? .never }

    mutating func add(_ element: Element, at time: Instant) {
        var index = entries.count
        while index > 0, entries[index - 1].time <= time { index -= 1 }
        entries.insert((time, element), at: index)
    }

    /// The earliest of what is due at `now`.
    mutating func popDue(at now: Instant) -> Element? {
        guard let last = entries.last, last.time <= now else { return nil }
        entries.removeLast()
        return last.element
    }
}
