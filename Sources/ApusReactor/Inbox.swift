// Messages from threads that have no ring to a thread that has one.

import CURing
import Glibc
import Synchronization

/// An eventfd: whoever writes to it completes the read that a ring has pending on it.
struct WakeDescriptor: ~Copyable, Sendable {
    let descriptor: Descriptor

    init() throws(SystemError) {
        // Blocking on purpose: io_uring waits on such a one, and answers EAGAIN at once on one that is not.
        let number = curing_eventfd()
        guard number >= 0 else { throw SystemError("open an eventfd", errno: errno) }
        descriptor = Descriptor(number)
    }

    deinit { _ = Glibc.close(descriptor.number) }

    func wake() {
        // Fails only on a descriptor that is not ours, and blocks only after 2^64 wakes that nobody read.
        var one: UInt64 = 1
        let written = unsafe write(descriptor.number, &one, MemoryLayout<UInt64>.size)
        precondition(written == MemoryLayout<UInt64>.size, "write to an eventfd: \(errorText(errno))")
    }
}

/// Any thread posts; one thread, which watches `eventDescriptor`, takes all there is.
package final class Inbox<Element: Sendable>: Sendable {
    private struct State {
        var elements: [Element] = []
        var isClosed = false
    }

    package let countMax: Int
    private let state = Mutex(State())
    private let wakeDescriptor: WakeDescriptor

    /// - Parameter countMax: how many elements may wait; more are refused.
    package init(countMax: Int) throws(SystemError) {
        self.countMax = countMax
        wakeDescriptor = try WakeDescriptor()
    }

    /// Readable when there is something to take; lives as long as the inbox.
    package var eventDescriptor: Descriptor { wakeDescriptor.descriptor }

    /// False when the inbox is closed or full: the element stays with the caller.
    package func post(_ element: Element) -> Bool {
        let (posted, wasEmpty) = state.withLock { state in
            guard !state.isClosed, state.elements.count < countMax else { return (false, false) }
            state.elements.append(element)
            return (true, state.elements.count == 1)
        }
        // Whoever finds it empty wakes; the others' elements are taken with the first.
        if wasEmpty { wakeDescriptor.wake() }
        return posted
    }

    /// Everything posted so far, oldest first. Empty when a wake-up came after its element had been taken.
    package func takeAll() -> [Element] {
        state.withLock { state in
            let elements = state.elements
            state.elements = []
            return elements
        }
    }

    /// Refuse whatever comes from now on, and hand over what was not taken, for the caller to answer.
    @discardableResult
    package func close() -> [Element] {
        state.withLock { state in
            state.isClosed = true
            let elements = state.elements
            state.elements = []
            return elements
        }
    }
}
