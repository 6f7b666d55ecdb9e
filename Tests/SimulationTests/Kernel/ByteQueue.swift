// Bytes in order: a simulated socket buffer, and what a simulated client has yet to send or to decode.

import Glibc

struct ByteQueue {
    private var bytes: [UInt8] = []
    /// Bytes before this one have been taken.
    private var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { bytes.count == start }

    mutating func append(_ source: UnsafeRawBufferPointer) { bytes.append(contentsOf: source) }
    mutating func append(_ source: [UInt8]) { bytes.append(contentsOf: source) }

    /// The oldest bytes, as many as `target` holds; there are so many.
    mutating func take(into target: UnsafeMutableRawBufferPointer) {
        precondition(target.count <= count)
        withBytes { target.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<target.count])) }
        drop(target.count)
    }

    /// The oldest `count` bytes move to the end of another queue.
    mutating func move(_ count: Int, to target: inout ByteQueue) {
        bytes.withUnsafeBytes { target.append(UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
        drop(count)
    }

    mutating func drop(_ count: Int) {
        precondition(count <= self.count)
        start += count
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: true)
            start = 0
        } else if start > 1 << 16 {
            bytes.removeFirst(start)
            start = 0
        }
    }

    /// Forget all but the oldest `count` bytes.
    mutating func cut(to count: Int) { bytes.removeLast(self.count - count) }

    mutating func removeAll() { drop(count) }

    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        bytes.withUnsafeBytes { body(UnsafeRawBufferPointer(rebasing: $0[start...])) }
    }

    /// Behind its first `offset` bytes it goes on with `other`.
    func starts(with other: [UInt8], at offset: Int = 0) -> Bool {
        guard offset + other.count <= count else { return false }
        return withBytes { bytes in
            let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
            return other.withUnsafeBytes { isSame($0, rest, count: other.count) }
        }
    }
}

/// The first `count` bytes are the same.
func isSame(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer, count: Int) -> Bool {
    guard count > 0, let left = left.baseAddress, let right = right.baseAddress else { return count == 0 }
    return memcmp(left, right, count) == 0
}
