// What happened on threads of the server, for the test's thread to look at.

import Synchronization
import TestSupport

final class Recorded<Element: Sendable>: Sendable {
    private let elements = Mutex<[Element]>([])

    func record(_ element: Element) { elements.withLock { $0.append(element) } }

    var all: [Element] { elements.withLock { $0 } }
}

/// Doors that asynchronous handlers stand before until the test opens them.
final class Doors: Sendable {
    private struct State {
        var open: Set<String> = []
        var waiting: [String: CheckedContinuation<Void, Never>] = [:]
    }

    private let state = Mutex(State())

    func pass(_ name: String) async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.open.contains(name) { state.waiting[name] = continuation }
                return state.open.contains(name)
            }
            if isOpen { continuation.resume() }
        }
    }

    func open(_ name: String) {
        let waiting = state.withLock { state in
            state.open.insert(name)
            return state.waiting.removeValue(forKey: name)
        }
        waiting?.resume()
    }

    /// Whether somebody stands before this door now.
    func isAwaited(_ name: String) -> Bool { state.withLock { $0.waiting[name] != nil } }
}
