// All mailboxes between the shards of one server, and who of them sleeps.

import Synchronization

/// Made once, before the shards. A sender that has published rings the doorbell of a sleeping receiver; a receiver says
/// that it will sleep and then looks once more. Between the two stores and the two loads lies a full fence on either
/// side, so at least one of them sees the other:
///
///     sender                          receiver
///     publish a message               sleeping = true
///     fence                           fence
///     sleeping was true? ring         a message? do not sleep
///
/// `@unchecked`: each mailbox is used by one sender and one receiver, whose shared counts are atomics.
@safe
package final class MailboxGrid: @unchecked Sendable {
    package let shardCount: Int
    private let sizes: MailboxSizes
    private let memory: ReservedMemory
    /// A cache line each.
    private static let sleeperByteCount = 128

    package init(shardCount: Int, sizes: MailboxSizes = MailboxSizes()) throws(SystemError) {
        precondition(shardCount > 0, "no shards")
        self.shardCount = shardCount
        self.sizes = sizes
        let byteCount = shardCount * MailboxGrid.sleeperByteCount
            + shardCount * shardCount * MailboxGrid.mailboxByteCount(sizes)
        memory = try ReservedMemory(byteCount: byteCount, for: "mailboxes")
    }

    /// For the thread of `source` alone.
    package func outbox(from source: Int, to target: Int) -> Mailbox.Outbox {
        Mailbox.Outbox(parts(from: source, to: target))
    }

    /// For the thread of `target` alone.
    package func inbox(from source: Int, to target: Int) -> Mailbox.Inbox {
        Mailbox.Inbox(parts(from: source, to: target))
    }

    private func parts(from source: Int, to target: Int) -> MailboxParts {
        precondition(source != target, "a shard writes no letters to itself")
        let index = checked(source) * shardCount + checked(target)
        let offset = shardCount * MailboxGrid.sleeperByteCount + index * MailboxGrid.mailboxByteCount(sizes)
        return unsafe MailboxParts(at: memory.start + offset, sizes: sizes)
    }

    private func checked(_ shard: Int) -> Int {
        precondition((0..<shardCount).contains(shard), "no such shard")
        return shard
    }

    /// Whole cache lines, so that no mailbox shares one with the next.
    private static func mailboxByteCount(_ sizes: MailboxSizes) -> Int { (sizes.mailboxByteCount + 127) / 128 * 128 }
}

// MARK: Sleep

extension MailboxGrid {
    /// The shard is about to wait. False when there is mail: drain it and do not wait.
    package func prepareSleep(_ shard: Int) -> Bool {
        unsafe sleeping(shard).pointee.store(true, ordering: .relaxed)
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        guard hasMail(shard) else { return true }
        wakeUp(shard)
        return false
    }

    /// The shard has stopped waiting, whatever for.
    package func wakeUp(_ shard: Int) {
        unsafe sleeping(shard).pointee.store(false, ordering: .relaxed)
    }

    /// Whether a sender that has published for `shard` must ring its doorbell. Answers yes to one sender only: ask once
    /// per turn, after all of the turn's messages.
    package func needsDoorbell(_ shard: Int) -> Bool {
        atomicMemoryFence(ordering: .sequentiallyConsistent)
        // Looked at before it is taken: the exchange would pull the line from a receiver that is awake.
        guard unsafe sleeping(shard).pointee.load(ordering: .relaxed) else { return false }
        return unsafe sleeping(shard).pointee.exchange(false, ordering: .acquiringAndReleasing)
    }

    private func hasMail(_ shard: Int) -> Bool {
        (0..<shardCount).contains { source in source != shard && !inbox(from: source, to: shard).isEmpty }
    }

    private func sleeping(_ shard: Int) -> UnsafeMutablePointer<Atomic<Bool>> {
        unsafe (memory.start + checked(shard) * MailboxGrid.sleeperByteCount).assumingMemoryBound(to: Atomic<Bool>.self)
    }
}
