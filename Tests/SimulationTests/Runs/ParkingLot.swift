// Where asynchronous handlers wait until a run is over. What they would answer, the simulation posts itself, at times
// of its own: a task's end is the one thing of a server that no seed decides.

import Synchronization

final class ParkingLot: Sendable {
    private struct State {
        var isOpen = false
        var parked: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// Returns when the run is over.
    func park() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.parked.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let parked = state.withLock { state in
            state.isOpen = true
            defer { state.parked = [] }
            return state.parked
        }
        parked.forEach { $0.resume() }
    }
}
