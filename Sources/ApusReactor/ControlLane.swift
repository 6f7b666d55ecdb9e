// Control messages from one shard to another, and those that wait for room.

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
    /// What the message is about, where that has a name of its own.
    package var key: ControlKey

    package init(
        kind: UInt8, coalesces: Bool = false, descriptor: Descriptor = Descriptor(-1),
        first: UInt64 = 0, second: UInt64 = 0, third: UInt64 = 0, key: ControlKey = ControlKey()
    ) {
        // The one that is replaced would never be closed.
        precondition(!coalesces || descriptor.number < 0, "a message with a descriptor does not coalesce")
        self.kind = kind
        self.coalesces = coalesces
        self.descriptor = descriptor
        self.first = first
        self.second = second
        self.third = third
        self.key = key
    }

    fileprivate func isReplaced(by later: ControlMessage) -> Bool {
        coalesces && later.coalesces && kind == later.kind && first == later.first && key == later.key
    }
}

/// A name of up to 36 bytes, which the mail does not read.
package struct ControlKey: Equatable, BitwiseCopyable, Sendable {
    package var words: (UInt64, UInt64, UInt64, UInt64)
    package var tail: UInt32

    package init(_ words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0), tail: UInt32 = 0) {
        self.words = words
        self.tail = tail
    }

    package static func == (left: ControlKey, right: ControlKey) -> Bool {
        left.words == right.words && left.tail == right.tail
    }
}

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
    let capacity: Int

    /// In zeroed memory, which reads as empty.
    init(at start: UnsafeMutableRawPointer, capacity: Int) {
        unsafe firstIndex = start.assumingMemoryBound(to: Int.self)
        unsafe count = (start + 8).assumingMemoryBound(to: Int.self)
        unsafe messages = (start + PendingMessages.headerByteCount).assumingMemoryBound(to: ControlMessage.self)
        self.capacity = capacity
    }

    var isEmpty: Bool { unsafe count.pointee == 0 }
    var room: Int { unsafe capacity - count.pointee }
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
