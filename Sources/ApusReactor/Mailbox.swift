// From one shard to another: bytes that may be dropped, and control messages that may not. It knows neither what they
// mean nor who sleeps; `MailboxGrid` owns the memory.

/// What shards tell one another: claims, evictions, descriptors, results.
package struct ControlMessage: Equatable, BitwiseCopyable, Sendable {
    package var kind: UInt8
    /// While this message waits behind a full lane, a later one of the same kind and the same first word takes its
    /// place: for news of which only the last counts.
    package var coalesces: Bool
    /// Whoever takes the message out owns it; -1 for none.
    package var descriptor: Descriptor
    package var first: UInt64
    package var second: UInt64
    package var third: UInt64

    package init(
        kind: UInt8, coalesces: Bool = false, descriptor: Descriptor = Descriptor(-1),
        first: UInt64 = 0, second: UInt64 = 0, third: UInt64 = 0
    ) {
        self.kind = kind
        self.coalesces = coalesces
        self.descriptor = descriptor
        self.first = first
        self.second = second
        self.third = third
    }

    fileprivate func isReplaced(by later: ControlMessage) -> Bool {
        coalesces && later.coalesces && kind == later.kind && first == later.first
    }
}

/// How much each ordered pair of shards reserves; it is memory only once used.
package struct MailboxSizes: Sendable {
    /// The data lane; a power of two. One record is at most half of it.
    package var dataByteCount = 256 << 10
    /// The control lane; a power of two.
    package var controlCount = 1024
    /// Control messages that wait with the sender while the lane is full.
    package var pendingCount = 4096

    package init() {}

    var mailboxByteCount: Int {
        2 * SharedIndices.byteCount + PendingMessages.headerByteCount + dataByteCount
            + (controlCount + pendingCount) * MemoryLayout<ControlMessage>.stride
    }
}

/// The two ends of one ordered pair of shards. Both are values that point into the grid: they must not outlive it, and
/// each is used by one thread.
package enum Mailbox {
    /// The sender's end.
    package struct Outbox: BitwiseCopyable {
        private let data: DataLane
        private let control: ControlLane
        private let pending: PendingMessages

        init(_ parts: MailboxParts) {
            (data, control, pending) = (parts.data, parts.control, parts.pending)
        }

        /// False when the lane is full or the bytes are more than it ever takes: they are dropped, and the caller counts.
        package func post(destination: UInt64, bytes: RawSpan) -> Bool {
            data.post(destination: destination, bytes: bytes)
        }

        /// Never dropped: behind a full lane the message waits here until `flushPending`. False when even that place is
        /// full; the message stays with the caller then.
        package func post(_ message: ControlMessage) -> Bool {
            if pending.isEmpty, control.post(message) { return true }
            return pending.append(message)
        }

        /// Move what waits into the lane, in order, as far as there is room. Once per turn.
        package func flushPending() {
            while let message = pending.first, control.post(message) { pending.removeFirst() }
        }

        /// Something waits here and nobody will say when there is room: look again soon, do not sleep without limit.
        package var hasPending: Bool { !pending.isEmpty }
    }

    /// The receiver's end.
    package struct Inbox: BitwiseCopyable {
        private let data: DataLane
        private let control: ControlLane

        init(_ parts: MailboxParts) {
            (data, control) = (parts.data, parts.control)
        }

        /// Everything posted so far, in order; what is posted meanwhile is left for the next call.
        package func drain(_ deliver: (_ destination: UInt64, _ bytes: RawSpan) -> Void) { data.drain(deliver) }
        package func drainControl(_ deliver: (ControlMessage) -> Void) { control.drain(deliver) }

        package var isEmpty: Bool { data.isEmpty && control.isEmpty }
    }
}

/// The parts of one mailbox, in the order they lie in its memory.
struct MailboxParts: BitwiseCopyable {
    let data: DataLane
    let control: ControlLane
    let pending: PendingMessages

    /// `start` begins `sizes.mailboxByteCount` zeroed bytes.
    init(at start: UnsafeMutableRawPointer, sizes: MailboxSizes) {
        let stride = MemoryLayout<ControlMessage>.stride
        let pendingStart = unsafe start + 2 * SharedIndices.byteCount
        let controlStart = unsafe pendingStart + PendingMessages.headerByteCount + sizes.pendingCount * stride
        unsafe pending = PendingMessages(at: pendingStart, capacity: sizes.pendingCount)
        unsafe control = ControlLane(
            indices: SharedIndices(at: start), messages: controlStart, capacity: sizes.controlCount)
        unsafe data = DataLane(
            indices: SharedIndices(at: start + SharedIndices.byteCount),
            bytes: controlStart + sizes.controlCount * stride, capacity: sizes.dataByteCount)
    }
}

// MARK: Data

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

// MARK: Control

/// A ring of messages.
@safe
struct ControlLane: BitwiseCopyable {
    private let indices: SharedIndices
    private let messages: UnsafeMutablePointer<ControlMessage>
    private let capacity: UInt64

    init(indices: SharedIndices, messages: UnsafeMutableRawPointer, capacity: Int) {
        precondition(capacity.nonzeroBitCount == 1, "the control lane: a power of two")
        self.indices = indices
        unsafe self.messages = messages.assumingMemoryBound(to: ControlMessage.self)
        self.capacity = UInt64(capacity)
    }

    var isEmpty: Bool { indices.readable.isEmpty }

    func post(_ message: ControlMessage) -> Bool {
        guard indices.hasRoom(for: 1, in: capacity) else { return false }
        unsafe messages[place(of: indices.producedByProducer)] = message
        indices.publish(1)
        return true
    }

    func drain(_ deliver: (ControlMessage) -> Void) {
        let readable = indices.readable
        for position in readable { deliver(unsafe messages[place(of: position)]) }
        indices.consume(upTo: readable.upperBound)
    }

    private func place(of position: UInt64) -> Int { Int(position & (capacity - 1)) }
}

/// Control messages that found the lane full, oldest first; only the sender touches them.
@safe
struct PendingMessages: BitwiseCopyable {
    static let headerByteCount = 16

    private let firstIndex: UnsafeMutablePointer<Int>
    private let count: UnsafeMutablePointer<Int>
    private let messages: UnsafeMutablePointer<ControlMessage>
    private let capacity: Int

    /// In zeroed memory, which reads as empty.
    init(at start: UnsafeMutableRawPointer, capacity: Int) {
        unsafe firstIndex = start.assumingMemoryBound(to: Int.self)
        unsafe count = (start + 8).assumingMemoryBound(to: Int.self)
        unsafe messages = (start + PendingMessages.headerByteCount).assumingMemoryBound(to: ControlMessage.self)
        self.capacity = capacity
    }

    var isEmpty: Bool { unsafe count.pointee == 0 }
    var first: ControlMessage? { isEmpty ? nil : unsafe messages[firstIndex.pointee] }

    func removeFirst() {
        unsafe firstIndex.pointee = place(1)
        unsafe count.pointee -= 1
    }

    /// False when there is no place left.
    func append(_ message: ControlMessage) -> Bool {
        if message.coalesces, replace(with: message) { return true }
        guard unsafe count.pointee < capacity else { return false }
        unsafe messages[place(count.pointee)] = message
        unsafe count.pointee += 1
        return true
    }

    /// In the earlier one's place in the order.
    private func replace(with message: ControlMessage) -> Bool {
        for position in unsafe 0..<count.pointee where unsafe messages[place(position)].isReplaced(by: message) {
            unsafe messages[place(position)] = message
            return true
        }
        return false
    }

    /// Where the message stands that `position` others precede.
    private func place(_ position: Int) -> Int { unsafe (firstIndex.pointee + position) % capacity }
}
