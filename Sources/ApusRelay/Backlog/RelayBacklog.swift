// Messages that wait because their destination's connection is full. It knows slots, senders' numbers and bytes; what a
// message is, and how a connection sends, is not its concern.

import ApusWire

/// At each destination every sender has a queue of its own, and the queues take turns: deficit round robin (Shreedhar,
/// Varghese 1995) with a quantum of one largest message, so that each turn sends one at least and a sender of large
/// messages gets no more bytes than one of small ones. When there are as many queues as may be, a further sender shares
/// one, chosen by a hash of the two (rendezvous), so that it keeps to one. The order of one sender's messages is kept
/// while it stays in one queue.
///
/// Where there is no room the oldest message of the longest queue goes: at the same destination if that has its share,
/// at one of those that hold most if the memory is used up. A sender that floods loses its own messages.
///
///     slot ──► destination ──► queue ⇄ queue ⇄ queue      by turns
///                                │
///                                └──► block → block       bytes of whole messages
///
/// A destination without backlog is four bytes. Everything else is taken from pools that are reserved at start.
public struct RelayBacklog: ~Copyable {
    struct Queue: BitwiseCopyable {
        let sender: UInt64
        /// Bytes that it may send before its turn ends.
        var deficit: Int
        var stream = BlockStream()
    }

    struct Destination: BitwiseCopyable {
        let slot: UInt32
        /// The queue whose turn it is.
        var turn = UInt32.nothing
        var queueCount = 0
        var byteCount = 0
        var messageCount = 0
        var blockCount = 0
    }

    private var limits: BacklogLimits
    private let hash: PeerHash
    private var pool: BlockPool
    private let queues: Reserved<Queue>
    private var queueNumbers: Numbers
    private let turns: Chains
    private let destinations: Reserved<Destination>
    private var destinationNumbers: Numbers
    private var destinationOfSlot: Heads
    private var sizes: SizeClasses

    /// - Parameters:
    ///   - slotCount: destinations are slots below it.
    ///   - seed: nobody outside may know it.
    public init(slotCount: Int, limits: BacklogLimits, seed: UInt64) {
        precondition(1...65_535 ~= limits.messageByteCountMax, "a message has 1 … 65,535 bytes")
        precondition(limits.bytesPerDestinationMax >= limits.messageByteCountMax, "one message has to fit")
        precondition(limits.queuesPerDestinationMax > 0, "messages wait in queues")
        let blockCount = limits.byteBudget / BlockPool.blockByteCount
        let blocksOfOne = BlockPool.blocksNeeded(for: limits.messageByteCountMax, in: BlockStream())
        precondition(blockCount >= blocksOfOne, "the budget is below one message")
        self.limits = limits
        hash = PeerHash(seed: seed)
        pool = BlockPool(blockCount: blockCount)
        // Every queue has a block at least, and every destination a queue.
        queues = Reserved(capacity: blockCount)
        queueNumbers = Numbers(capacity: blockCount)
        turns = Chains(capacity: blockCount)
        destinations = Reserved(capacity: blockCount)
        destinationNumbers = Numbers(capacity: blockCount)
        sizes = SizeClasses(capacity: blockCount)
        destinationOfSlot = Heads(capacity: slotCount)
    }

    /// Messages that wait already are judged by it too.
    public mutating func limitAge(toNanoseconds ageMax: UInt64) { limits.ageNanosecondsMax = ageMax }

    /// What a backlog with these limits reserves: the budget and what keeps order in it; touched as messages wait.
    public static func memoryByteCount(slotCount: Int, _ limits: BacklogLimits) -> Int {
        let blockCount = limits.byteBudget / BlockPool.blockByteCount
        let queues = Reserved<Queue>.byteCount(capacity: blockCount) + Chains.byteCount(capacity: blockCount)
        let destinations = Reserved<Destination>.byteCount(capacity: blockCount)
        return BlockPool.byteCount(blockCount: blockCount) + queues + destinations
            + 2 * Numbers.byteCount(capacity: blockCount) + SizeClasses.byteCount(capacity: blockCount)
            + Heads.byteCount(capacity: slotCount)
    }

    /// Memory that messages take now, in whole blocks; never above the budget.
    public var byteCountInUse: Int { pool.takenCount * BlockPool.blockByteCount }

    /// Destinations for which something waits.
    public var destinationCount: Int { destinationNumbers.takenCount }

    public func isEmpty(for slot: UInt32) -> Bool { destinationOfSlot[slot] == .nothing }

    /// Messages that wait for a destination.
    public func messageCount(for slot: UInt32) -> Int {
        let number = destinationOfSlot[slot]
        return number == .nothing ? 0 : destinations[number].messageCount
    }

    /// Their bytes.
    public func byteCount(for slot: UInt32) -> Int {
        let number = destinationOfSlot[slot]
        return number == .nothing ? 0 : destinations[number].byteCount
    }

    /// A message waits from now on, whatever has to go for it.
    ///
    /// - Parameters:
    ///   - message: 1 byte to the largest; it is copied.
    ///   - sender: whoever is to have a queue of its own.
    ///   - now: nanoseconds of a clock that does not go back, below 2^58.
    ///   - drops: is counted up.
    public mutating func append(
        _ message: RawSpan, to slot: UInt32, from sender: UInt64, at now: UInt64, drops: inout BacklogDrops
    ) {
        let byteCount = message.byteCount
        precondition(1...limits.messageByteCountMax ~= byteCount, "a message of that size does not wait here")
        makeRoom(for: byteCount, at: slot, &drops)
        makeBlocks(for: byteCount, at: slot, from: sender, &drops)
        let destination = destinationOfSlot[slot] == .nothing ? addDestination(slot) : destinationOfSlot[slot]
        let queue = queue(of: sender, at: destination) ?? addQueue(of: sender, to: destination)
        changeStream(queue, of: destination) { (pool, stream) in
            pool.append(message, to: &stream, at: now)
        }
    }

    /// The same for a peer's message. Nobody can choose an id so that it shares another's queue.
    public mutating func append(
        _ message: RawSpan, to slot: UInt32, from source: PeerID, at now: UInt64, drops: inout BacklogDrops
    ) {
        append(message, to: slot, from: hash.hash(source), at: now, drops: &drops)
    }

    /// The size of the message whose turn it is, after those were dropped that have waited too long; nil when none is
    /// left.
    ///
    /// - Parameters:
    ///   - now: nanoseconds of the clock of `append`.
    ///   - drops: is counted up.
    public mutating func nextByteCount(for slot: UInt32, at now: UInt64, drops: inout BacklogDrops) -> Int? {
        while true {
            let destination = destinationOfSlot[slot]
            guard destination != .nothing else { return nil }
            let queue = destinations[destination].turn
            let stream = queues[queue].stream
            if pool.oldestAge(in: stream, at: now) > limits.ageNanosecondsMax {
                dropOldest(of: queue, at: destination)
                drops.aged += 1
                continue
            }
            let byteCount = pool.oldestByteCount(in: stream)
            if byteCount <= queues[queue].deficit { return byteCount }
            queues[queue].deficit += limits.messageByteCountMax
            destinations[destination].turn = turns.next(after: queue)
        }
    }

    /// The message of which `nextByteCount` has told the size just before.
    ///
    /// - Parameter output: has room for it.
    @_lifetime(output: copy output)
    public mutating func popNext(for slot: UInt32, into output: inout OutputRawSpan) {
        let destination = destinationOfSlot[slot]
        precondition(destination != .nothing, "nothing waits there")
        let queue = destinations[destination].turn
        let before = queues[queue].stream
        queues[queue].deficit -= pool.oldestByteCount(in: before)
        precondition(queues[queue].deficit >= 0, "ask for the size first: that finds whose turn it is")
        pool.popOldest(from: &queues[queue].stream, into: &output)
        account(queue, of: destination, before)
    }

    /// The destination has ended.
    ///
    /// - Returns: how many messages are lost with it.
    public mutating func discard(_ slot: UInt32) -> Int {
        let messageCount = messageCount(for: slot)
        while destinationOfSlot[slot] != .nothing {
            let destination = destinationOfSlot[slot]
            changeStream(destinations[destination].turn, of: destination) { (pool, stream) in pool.discard(&stream) }
        }
        return messageCount
    }
}

// MARK: Room

extension RelayBacklog {
    /// Until the destination has its share left for so many bytes.
    private mutating func makeRoom(for byteCount: Int, at slot: UInt32, _ drops: inout BacklogDrops) {
        while true {
            let destination = destinationOfSlot[slot]
            guard destination != .nothing else { return }
            guard destinations[destination].byteCount + byteCount > limits.bytesPerDestinationMax else { return }
            dropOldest(of: longestQueue(at: destination), at: destination)
            drops.full += 1
        }
    }

    /// Until there are blocks for so many bytes, wherever they come from.
    private mutating func makeBlocks(
        for byteCount: Int, at slot: UInt32, from sender: UInt64, _ drops: inout BacklogDrops
    ) {
        while true {
            let destination = destinationOfSlot[slot]
            let queue = destination == .nothing ? nil : queue(of: sender, at: destination)
            let stream = queue.map { queues[$0].stream } ?? BlockStream()
            guard BlockPool.blocksNeeded(for: byteCount, in: stream) > pool.freeCount else { return }
            let largest = sizes.largest
            dropOldest(of: longestQueue(at: largest), at: largest)
            drops.budget += 1
        }
    }

    private func longestQueue(at destination: UInt32) -> UInt32 {
        var longest = destinations[destination].turn
        turns.forEach(from: longest) { queue in
            if queues[queue].stream.byteCount > queues[longest].stream.byteCount { longest = queue }
        }
        return longest
    }

    private mutating func dropOldest(of queue: UInt32, at destination: UInt32) {
        changeStream(queue, of: destination) { (pool, stream) in pool.dropOldest(from: &stream) }
    }
}

// MARK: Queues and destinations

extension RelayBacklog {
    /// Its own, or that which it has to share; nil when it may have one of its own and has none.
    private func queue(of sender: UInt64, at destination: UInt32) -> UInt32? {
        let first = destinations[destination].turn
        var own: UInt32?
        turns.forEach(from: first) { queue in
            if queues[queue].sender == sender { own = queue }
        }
        guard own == nil, destinations[destination].queueCount == limits.queuesPerDestinationMax else { return own }
        return sharedQueue(of: sender, from: first)
    }

    private func sharedQueue(of sender: UInt64, from first: UInt32) -> UInt32 {
        var (chosen, highest) = (first, UInt64.min)
        turns.forEach(from: first) { queue in
            let score = hash.hash(hash.hash(queues[queue].sender) ^ sender)
            if score >= highest { (chosen, highest) = (queue, score) }
        }
        return chosen
    }

    private mutating func addQueue(of sender: UInt64, to destination: UInt32) -> UInt32 {
        guard let number = queueNumbers.take() else { preconditionFailure("there is a queue for each block") }
        queues[number] = Queue(sender: sender, deficit: limits.messageByteCountMax)
        turns.append(number, to: &destinations[destination].turn)
        destinations[destination].queueCount += 1
        return number
    }

    private mutating func addDestination(_ slot: UInt32) -> UInt32 {
        guard let number = destinationNumbers.take() else { preconditionFailure("there is one for each block") }
        destinations[number] = Destination(slot: slot)
        destinationOfSlot[slot] = number
        sizes.insert(number)
        return number
    }

    private mutating func changeStream(
        _ queue: UInt32, of destination: UInt32, _ change: (inout BlockPool, inout BlockStream) -> Void
    ) {
        let before = queues[queue].stream
        change(&pool, &queues[queue].stream)
        account(queue, of: destination, before)
    }

    /// What a change of a queue means for its destination. Both go when they are empty.
    private mutating func account(_ queue: UInt32, of destination: UInt32, _ before: BlockStream) {
        let now = queues[queue].stream
        destinations[destination].byteCount += now.byteCount - before.byteCount
        destinations[destination].messageCount += now.messageCount - before.messageCount
        destinations[destination].blockCount += now.blockCount - before.blockCount
        if now.messageCount == 0 {
            turns.remove(queue, from: &destinations[destination].turn)
            destinations[destination].queueCount -= 1
            queueNumbers.give(queue)
        }
        guard destinations[destination].queueCount == 0 else {
            return sizes.update(destination, blockCount: destinations[destination].blockCount)
        }
        sizes.remove(destination)
        destinationOfSlot[destinations[destination].slot] = .nothing
        destinationNumbers.give(destination)
    }
}
