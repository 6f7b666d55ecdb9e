// Bytes from one shard to another, in records. It knows nothing of their meaning, and drops none itself.

/// A ring of records, each in one piece, at multiples of 16 bytes:
///
///      0        4        8               16
///     +--------+--------+---------------+-----------------+---------+
///     | length |  kind  |  destination  |  length bytes   | padding |
///     +--------+--------+---------------+-----------------+---------+
///
/// A record that does not fit before the ring's end starts at its beginning; the length `skipped` marks the gap.
@safe
struct DataLane: BitwiseCopyable {
    private static let headerByteCount: UInt64 = 16
    private static let skipped = UInt32.max

    private let indices: SharedIndices
    private let bytes: UnsafeMutableRawPointer
    private let capacity: UInt64

    init(indices: SharedIndices, bytes: UnsafeMutableRawPointer, capacity: Int) {
        precondition(capacity.nonzeroBitCount == 1 && capacity >= 64, "the data lane: a power of two, 64 or more")
        self.indices = indices
        unsafe self.bytes = bytes
        self.capacity = UInt64(capacity)
    }

    var isEmpty: Bool { indices.readable.isEmpty }

    /// - Parameter body: writes exactly `byteCount` bytes, where they are read from at the other end.
    @inline(__always)
    func post(
        kind: UInt32, destination: UInt64, byteCount length: Int, _ body: (inout OutputRawSpan) -> Void
    ) -> Bool {
        let byteCount = DataLane.recordByteCount(UInt64(length))
        // Half, so that a record fits into an empty ring wherever it begins.
        guard byteCount <= capacity / 2 else { return false }
        let offset = indices.producedByProducer & (capacity - 1)
        let gap = offset + byteCount > capacity ? capacity - offset : 0
        guard indices.hasRoom(for: gap + byteCount, in: capacity) else { return false }
        if gap > 0 { setLength(DataLane.skipped, at: offset) }
        let record = unsafe bytes + Int(gap > 0 ? 0 : offset)
        unsafe record.storeBytes(of: UInt32(length), as: UInt32.self)
        unsafe record.storeBytes(of: kind, toByteOffset: 4, as: UInt32.self)
        unsafe record.storeBytes(of: destination, toByteOffset: 8, as: UInt64.self)
        // Room for these bytes was found above, and the consumer does not look there before `publish`.
        let content = unsafe UnsafeMutableRawBufferPointer(start: record + 16, count: length)
        var output = unsafe OutputRawSpan(buffer: content, initializedCount: 0)
        body(&output)
        precondition(output.byteCount == length, "a record is as long as was said")
        _ = consume output
        indices.publish(gap + byteCount)
        return true
    }

    /// Bytes that lie elsewhere.
    func post(kind: UInt32 = 0, destination: UInt64, bytes source: RawSpan) -> Bool {
        post(kind: kind, destination: destination, byteCount: source.byteCount) { output in
            unsafe output.withUnsafeMutableBytes { room, count in
                // The room is as long as the source.
                unsafe source.withUnsafeBytes { unsafe room.copyMemory(from: $0) }
                count = source.byteCount
            }
        }
    }

    func drain(_ deliver: (_ kind: UInt32, _ destination: UInt64, _ bytes: RawSpan) -> Void) {
        let readable = indices.readable
        var position = readable.lowerBound
        while position < readable.upperBound {
            let offset = position & (capacity - 1)
            let record = unsafe bytes + Int(offset)
            let length = unsafe record.load(as: UInt32.self)
            if length == DataLane.skipped {
                position += capacity - offset
                continue
            }
            let kind = unsafe record.load(fromByteOffset: 4, as: UInt32.self)
            let destination = unsafe record.load(fromByteOffset: 8, as: UInt64.self)
            // The producer wrote this length, and nothing of the record changes before `consume`.
            let content = unsafe UnsafeRawBufferPointer(start: record + 16, count: Int(length))
            unsafe deliver(kind, destination, content.bytes)
            position += DataLane.recordByteCount(UInt64(length))
        }
        indices.consume(upTo: position)
    }

    private static func recordByteCount(_ length: UInt64) -> UInt64 {
        headerByteCount + (length + 15) / 16 * 16
    }

    private func setLength(_ length: UInt32, at offset: UInt64) {
        unsafe (bytes + Int(offset)).storeBytes(of: length, as: UInt32.self)
    }
}
