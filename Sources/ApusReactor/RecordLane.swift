// Records from one thread to another, in memory that was reserved beforehand. It knows nothing of their meaning, wakes
// nobody, and drops nothing itself: a full lane says so.

/// `@unchecked`: one thread posts and one drains, and what they share of the lane are atomics.
@safe
package final class RecordLane: @unchecked Sendable {
    private let memory: ReservedMemory
    private let lane: DataLane

    /// - Parameter byteCount: a power of two; it becomes memory when it is used. A record is at most half of it.
    package init(byteCount: Int, for purpose: String) throws(SystemError) {
        memory = try ReservedMemory(byteCount: SharedIndices.byteCount + byteCount, for: purpose)
        unsafe lane = DataLane(
            indices: SharedIndices(at: memory.start), bytes: memory.start + SharedIndices.byteCount,
            capacity: byteCount)
    }

    /// For the producer's thread alone. False when there is no room.
    package func post(_ record: RawSpan) -> Bool { lane.post(destination: 0, bytes: record) }

    /// For the consumer's thread alone: everything posted so far, in order. A record begins at a multiple of 16.
    package func drain(_ deliver: (RawSpan) -> Void) { lane.drain { _, _, record in deliver(record) } }
}
