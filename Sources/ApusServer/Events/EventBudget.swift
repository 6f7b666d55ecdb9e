// How many events of a kind a shard notes down in a second: a flood of connections must not become a flood of events.
// Pure: time is a parameter.

import ApusReactor

struct EventBudget: BitwiseCopyable {
    private struct Window: BitwiseCopyable {
        var start = Instant(nanoseconds: 0)
        var count: UInt32 = 0
    }

    /// Those for which somebody asked by lowering the level are limited by their lane only.
    static let perSecondMax: UInt32 = 50

    private var windows = InlineArray<32, Window>(repeating: Window())

    /// Whether one more of this kind is noted down.
    mutating func admits(_ kind: ServerEvent.Kind, at now: Instant) -> Bool {
        guard kind.severity > .debug else { return true }
        let index = Int(kind.name.rawValue)
        if now - windows[index].start >= .second {
            windows[index] = Window(start: now)
        }
        guard windows[index].count < EventBudget.perSecondMax else { return false }
        windows[index].count += 1
        return true
    }
}
