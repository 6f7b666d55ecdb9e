// Zeroed address space that becomes memory when it is touched, so that a limit costs nothing until it is used.

import Glibc

/// Owned by whoever made it. Safe to hold; reading and writing through `start` is not.
@safe
@usableFromInline
struct ReservedMemory: ~Copyable {
    @usableFromInline let start: UnsafeMutableRawPointer
    private let byteCount: Int

    /// - Parameter purpose: names the memory in the error: `4096 timers`.
    init(byteCount: Int, for purpose: String) throws(SystemError) {
        // NORESERVE: the sum of all limits may exceed what the machine has, since they are not all reached at once.
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let pages = unsafe mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
        guard let pages = unsafe pages, unsafe pages != MAP_FAILED else {
            throw SystemError("reserve \(byteCount) bytes for \(purpose)", errno: errno)
        }
        unsafe start = pages
        self.byteCount = byteCount
    }

    deinit { unsafe munmap(start, byteCount) }
}
