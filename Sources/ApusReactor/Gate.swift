// One value, handed from one thread to those that wait for it.

import Glibc

/// Closed until somebody opens it, once. The value never changes afterwards.
///
/// `@unchecked`: `value` is only touched with `mutex` held.
@safe
package final class Gate<Value: Sendable>: @unchecked Sendable {
    private var value: Value?
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let opened: UnsafeMutablePointer<pthread_cond_t>

    package init() {
        // On the heap: their addresses must not change.
        unsafe mutex = .allocate(capacity: 1)
        unsafe opened = .allocate(capacity: 1)
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(opened, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(opened)
        unsafe pthread_mutex_destroy(mutex)
        unsafe opened.deallocate()
        unsafe mutex.deallocate()
    }

    package func open(with value: Value) {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        precondition(self.value == nil, "a gate was opened twice")
        self.value = value
        unsafe pthread_cond_broadcast(opened)
    }

    /// The value, as soon as there is one.
    package func wait() -> Value {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let value { return value }
            unsafe pthread_cond_wait(opened, mutex)
        }
    }
}
