// How far the one producer and the one consumer of a ring have come.

import Synchronization

/// Both count from zero and never wrap: at ten gigabytes a second 2^64 bytes last half a century. Each side writes its
/// own count, and keeps the last it saw of the other's, on cache lines that the other does not write.
@safe
struct SharedIndices: BitwiseCopyable {
    /// Two lines, because processors fetch lines in pairs.
    private static let spacing = 128
    static let byteCount = 3 * spacing

    private let produced: UnsafeMutablePointer<Atomic<UInt64>>
    private let consumed: UnsafeMutablePointer<Atomic<UInt64>>
    /// The producer's own note of `consumed`.
    private let seenConsumed: UnsafeMutablePointer<UInt64>

    /// In zeroed memory, which reads as both counts at zero. Made twice over the same memory they are the same indices.
    init(at start: UnsafeMutableRawPointer) {
        unsafe produced = start.assumingMemoryBound(to: Atomic<UInt64>.self)
        unsafe consumed = (start + SharedIndices.spacing).assumingMemoryBound(to: Atomic<UInt64>.self)
        unsafe seenConsumed = (start + 2 * SharedIndices.spacing).assumingMemoryBound(to: UInt64.self)
    }

    // MARK: The producer's side

    var producedByProducer: UInt64 { unsafe produced.pointee.load(ordering: .relaxed) }

    /// Whether `count` more fit into a ring of `capacity`. The consumer's cache line is read only if the note says no.
    func hasRoom(for count: UInt64, in capacity: UInt64) -> Bool {
        let end = producedByProducer + count
        if unsafe end - seenConsumed.pointee <= capacity { return true }
        unsafe seenConsumed.pointee = consumed.pointee.load(ordering: .acquiring)
        return unsafe end - seenConsumed.pointee <= capacity
    }

    /// What was written before becomes the consumer's.
    func publish(_ count: UInt64) {
        unsafe produced.pointee.store(producedByProducer + count, ordering: .releasing)
    }

    // MARK: The consumer's side

    /// What may be read.
    var readable: Range<UInt64> {
        unsafe consumed.pointee.load(ordering: .relaxed)..<produced.pointee.load(ordering: .acquiring)
    }

    /// What was read before becomes the producer's.
    func consume(upTo end: UInt64) {
        unsafe consumed.pointee.store(end, ordering: .releasing)
    }
}
