// How often the same record is written: the first few of a second, then their count. Pure: time is a parameter.

import Logging

/// What makes two records the same.
struct RepeatKey: Hashable, Sendable {
    let label: String
    let level: Logger.Level
    let message: String
}

struct RepeatLimit {
    /// So many records were held back.
    struct Summary: Equatable, Sendable {
        let key: RepeatKey
        let count: Int
    }

    private struct Window {
        let start: UInt64
        var count = 1
        /// Held back in earlier windows, and not yet told.
        let owed: Int
    }

    private static let windowNanoseconds: UInt64 = 1_000_000_000
    /// `trace` and `debug` are asked for by somebody who looks.
    private static let detailFactor = 50
    /// Different records remembered at once. Beyond that, none is held back: the queue is bounded too.
    static let keyCountMax = 1024

    var perSecondMax: Int
    private var windows: [RepeatKey: Window] = [:]

    init(perSecondMax: Int) { self.perSecondMax = perSecondMax }

    /// Some record has been held back, or may be: `expired` has to be asked again.
    var isWatching: Bool { !windows.isEmpty }

    /// Whether this record is written.
    mutating func admits(_ key: RepeatKey, at now: UInt64) -> Bool {
        guard var window = windows[key] else {
            if windows.count < RepeatLimit.keyCountMax { windows[key] = Window(start: now, owed: 0) }
            return true
        }
        if hasEnded(window, at: now) {
            windows[key] = Window(start: now, owed: heldBack(window, key))
            return true
        }
        window.count += 1
        windows[key] = window
        return window.count <= limit(of: key)
    }

    /// What was held back in windows that have ended by now; they are forgotten. Ordered by message, so that the same
    /// happenings make the same lines.
    mutating func expired(at now: UInt64) -> [Summary] {
        var summaries: [Summary] = []
        windows = windows.filter { key, window in
            guard hasEnded(window, at: now) else { return true }
            let count = heldBack(window, key)
            if count > 0 { summaries.append(Summary(key: key, count: count)) }
            return false
        }
        return summaries.sorted { $0.key.message < $1.key.message }
    }

    /// Everything that was held back, since nothing follows.
    mutating func end() -> [Summary] { expired(at: .max) }

    private func hasEnded(_ window: Window, at now: UInt64) -> Bool {
        // Two threads may have read the clock in the other order.
        now >= window.start && now - window.start >= RepeatLimit.windowNanoseconds
    }

    private func heldBack(_ window: Window, _ key: RepeatKey) -> Int {
        window.owed + max(0, window.count - limit(of: key))
    }

    private func limit(of key: RepeatKey) -> Int {
        key.level <= .debug ? perSecondMax * RepeatLimit.detailFactor : perSecondMax
    }
}
