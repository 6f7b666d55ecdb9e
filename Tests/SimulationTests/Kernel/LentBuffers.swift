// The buffers that a simulated kernel receives into, and where each of them is. What comes back is poisoned, so reading
// it afterwards shows.

import ApusReactor
import Glibc

/// One buffer, while the kernel fills it.
struct LentBuffer {
    let id: Int
    let bytes: UnsafeMutableRawBufferPointer

    func lease(byteCount: Int) -> Lease {
        guard let start = bytes.baseAddress else { preconditionFailure("a buffer has at least a byte") }
        return Lease(start: start, byteCount: Int32(byteCount), bufferID: UInt16(id))
    }
}

final class LentBuffers {
    private enum Place {
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

    private let byteCount: Int
    private let memory: UnsafeMutableRawBufferPointer
    private var places: [Place]
    private var free: [Int]
    private var returned: [Int] = []
    private(set) var lentCount = 0

    init(count: Int, byteCount: Int) {
        self.byteCount = byteCount
        memory = .allocate(byteCount: count * byteCount, alignment: 16)
        memory.initializeMemory(as: UInt8.self, repeating: 0)
        places = Array(repeating: .free, count: count)
        free = Array(0..<count)
    }

    deinit { memory.deallocate() }

    var totalByteCount: Int { memory.count }
    var hasFree: Bool { !free.isEmpty }

    /// A buffer to fill, or nil: ENOBUFS.
    func take() -> LentBuffer? {
        guard !free.isEmpty else { return nil }
        let id = free.removeFirst()
        places[id] = .filled
        let bytes = UnsafeMutableRawBufferPointer(rebasing: memory[id * byteCount..<(id + 1) * byteCount])
        return LentBuffer(id: id, bytes: bytes)
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
        for id in returned { places[id] = .free }
        free += returned
        returned.removeAll(keepingCapacity: true)
    }
}
