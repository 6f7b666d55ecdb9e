// Bytes from one shard to another, in records. It knows nothing of their meaning, and drops none itself.

/// A ring of records, each in one piece, at multiples of 16 bytes:
///
///      0        4        8               16
///     +--------+--------+---------------+-----------------+---------+
///     | length |    0   |  destination  |  length bytes   | padding |
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

    func post(destination: UInt64, bytes source: RawSpan) -> Bool {
        let byteCount = DataLane.recordByteCount(UInt64(source.byteCount))
        // Half, so that a record fits into an empty ring wherever it begins.
        guard byteCount <= capacity / 2 else { return false }
        let offset = indices.producedByProducer & (capacity - 1)
        let gap = offset + byteCount > capacity ? capacity - offset : 0
        guard indices.hasRoom(for: gap + byteCount, in: capacity) else { return false }
        if gap > 0 { setLength(DataLane.skipped, at: offset) }
        write(source, for: destination, at: gap > 0 ? 0 : offset)
        indices.publish(gap + byteCount)
        return true
    }

    func drain(_ deliver: (_ destination: UInt64, _ bytes: RawSpan) -> Void) {
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
            let destination = unsafe record.load(fromByteOffset: 8, as: UInt64.self)
            // The producer wrote this length, and nothing of the record changes before `consume`.
            let content = unsafe UnsafeRawBufferPointer(start: record + 16, count: Int(length))
            unsafe deliver(destination, content.bytes)
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

    private func write(_ source: RawSpan, for destination: UInt64, at offset: UInt64) {
        setLength(UInt32(source.byteCount), at: offset)
        let record = unsafe bytes + Int(offset)
        unsafe record.storeBytes(of: destination, toByteOffset: 8, as: UInt64.self)
        unsafe source.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: record + 16, count: source.count).copyMemory(from: source)
        }
    }
}
