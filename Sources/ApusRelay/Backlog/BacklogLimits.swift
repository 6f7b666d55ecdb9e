// How much may wait, and what was lost because of it.

import ApusWire

/// What a backlog of a shard may hold.
public struct BacklogLimits: BitwiseCopyable, Sendable {
    /// Of one message, with whatever the caller puts in front of it; 1 … 65,535.
    public var messageByteCountMax = RelayFormat.messageByteCountMax
    /// Of the messages that wait for one destination; at least one largest message.
    public var bytesPerDestinationMax = 1 << 20
    /// Memory for all messages together, with what separates them; it is used in blocks of 2 KiB.
    public var byteBudget = 64 << 20
    /// A message that has waited longer is dropped when its turn comes.
    public var ageNanosecondsMax: UInt64 = 1_000_000_000
    /// Senders that have a queue of their own at one destination; further ones share these.
    public var queuesPerDestinationMax = 32

    public init() {}
}

/// Messages that were dropped, by reason. Whoever calls adds them up.
public struct BacklogDrops: Equatable, BitwiseCopyable, Sendable {
    /// As much as may wait for one destination did.
    public var full = 0
    /// They waited too long.
    public var aged = 0
    /// As much as may wait at all did.
    public var budget = 0

    public init() {}
}
