// From one shard to another: bytes that may be dropped, and control messages that may not. It knows neither what they
// mean nor who sleeps; `MailboxGrid` owns the memory.

/// How much each ordered pair of shards reserves; it is memory only once used.
package struct MailboxSizes: Sendable {
    /// The data lane; a power of two. One record is at most half of it.
    package var dataByteCount = 256 << 10
    /// The control lane; a power of two.
    package var controlCount = 1024
    /// Control messages that wait with the sender while the lane is full.
    package var pendingCount = 4096

    package init() {}

    /// What one ordered pair of shards reserves.
    package var mailboxByteCount: Int {
        2 * SharedIndices.byteCount + PendingMessages.headerByteCount + dataByteCount
            + (controlCount + pendingCount) * MemoryLayout<ControlMessage>.stride
    }
}

/// The two ends of one ordered pair of shards. Both are values that point into the grid: they must not outlive it, and
/// each is used by one thread.
package enum Mailbox {
    /// The sender's end.
    package struct Outbox: BitwiseCopyable {
        private let records: DataLane
        private let control: ControlLane
        private let pending: PendingMessages

        init(_ parts: MailboxParts) {
            (records, control, pending) = (parts.records, parts.control, parts.pending)
        }

        /// False when the lane is full, or the bytes are more than it ever takes: the caller drops and counts them.
        /// - Parameters:
        ///   - kind: what the bytes are; the receiver is given it.
        ///   - body: writes exactly `byteCount` bytes.
        @inline(__always)
        package func post(
            kind: UInt32 = 0, destination: UInt64, byteCount: Int, _ body: (inout OutputRawSpan) -> Void
        ) -> Bool {
            records.post(kind: kind, destination: destination, byteCount: byteCount, body)
        }

        /// The same with bytes that lie elsewhere.
        package func post(kind: UInt32 = 0, destination: UInt64, bytes: RawSpan) -> Bool {
            records.post(kind: kind, destination: destination, bytes: bytes)
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

        /// So many messages more are certain to be taken.
        package var room: Int { pending.room }

        /// What `room` is when nothing waits.
        package var capacity: Int { pending.capacity }
    }

    /// The receiver's end.
    package struct Inbox: BitwiseCopyable {
        private let records: DataLane
        private let control: ControlLane

        init(_ parts: MailboxParts) {
            (records, control) = (parts.records, parts.control)
        }

        /// Everything posted so far, in order; what is posted meanwhile is left for the next call.
        package func drain(_ deliver: (_ kind: UInt32, _ destination: UInt64, _ bytes: RawSpan) -> Void) {
            records.drain(deliver)
        }

        package func drainControl(_ deliver: (ControlMessage) -> Void) { control.drain(deliver) }

        package var isEmpty: Bool { records.isEmpty && control.isEmpty }
    }
}

/// The parts of one mailbox, in the order they lie in its memory.
struct MailboxParts: BitwiseCopyable {
    let records: DataLane
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
        unsafe records = DataLane(
            indices: SharedIndices(at: start + SharedIndices.byteCount),
            bytes: controlStart + sizes.controlCount * stride, capacity: sizes.dataByteCount)
    }
}
