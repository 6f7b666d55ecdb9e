// The buffers that a simulated kernel receives into, and where each of them is. What comes back is poisoned, so reading
// it afterwards shows.

import ApusReactor
import Glibc

final class LentBuffers {
    enum Place: Equatable {
        /// The kernel may fill it.
        case free
        /// Filled; its completion has not been taken yet.
        case filled
        /// On loan to the user of the ring.
        case lent
        /// Given back, but the kernel does not know until the next wait.
        case returned
    }

    private static let poison: Int32 = 0xDB

    let byteCount: Int
    let count: Int
    private let memory: UnsafeMutableRawBufferPointer
    private var places: [Place]
    private var free: [Int]
    private var returned: [Int] = []
    private(set) var lentCount = 0

    init(count: Int, byteCount: Int) {
        self.count = count
        self.byteCount = byteCount
        memory = .allocate(byteCount: count * byteCount, alignment: 16)
        places = Array(repeating: .free, count: count)
        free = Array((0..<count).reversed())
    }

    deinit { memory.deallocate() }

    var totalByteCount: Int { count * byteCount }

    var hasFree: Bool { !free.isEmpty }

    /// A buffer to fill, or nil: ENOBUFS.
    func take() -> (id: Int, bytes: UnsafeMutableRawBufferPointer)? {
        guard let id = free.popLast() else { return nil }
        places[id] = .filled
        return (id, UnsafeMutableRawBufferPointer(rebasing: memory[id * byteCount..<(id + 1) * byteCount]))
    }

    func lend(_ lease: Lease) {
        places[Int(lease.bufferID)] = .lent
        lentCount += 1
    }

    /// False: it was not on loan.
    func recycle(_ lease: Lease) -> Bool {
        let id = Int(lease.bufferID)
        guard places[id] == .lent else { return false }
        places[id] = .returned
        lentCount -= 1
        returned.append(id)
        memset(lease.start, LentBuffers.poison, byteCount)
        return true
    }

    /// What was given back becomes the kernel's.
    func publish() {
        for id in returned {
            places[id] = .free
            free.insert(id, at: 0)
        }
        returned.removeAll(keepingCapacity: true)
    }
}
