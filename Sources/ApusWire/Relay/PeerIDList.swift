// The peer ids of a list message, where they lie (relay.md §1.3.6, §1.3.7). It holds no bytes.

/// Reading an id needs the message that the list was found in.
public struct PeerIDList: Equatable, BitwiseCopyable, Sendable {
    /// 0 for a message that is its header alone, which has no effect.
    public let count: Int

    @inlinable
    init(count: Int) { self.count = count }

    @inlinable public var indices: Range<Int> { 0..<count }

    /// - Parameter index: below `count`.
    @inlinable
    public func id(at index: Int, in message: RawSpan) -> PeerID {
        precondition(0..<count ~= index, "the list ends before")
        return PeerID(message, at: RelayFormat.headerByteCount + index * PeerID.byteCount)
    }
}
