// What the tables say they reserve: what their documentation says, and what limits are added up from.

import Testing

@testable import ApusRelay

struct MemoryTests {
    @Test func aDirectoryTakesWhatItSays() {
        #expect(PeerDirectory.memoryByteCount(capacity: 65_536) == 65_536 * (16 + 60))
        #expect(PeerDirectory.memoryByteCount(capacity: 65_537) == 262_144 * 8 + 65_537 * 60)
    }

    @Test func aRegistryTakesWhatItSays() {
        var limits = PeerRegistryLimits(
            peersMax: 10_000, subscribersMax: 10_000, interestsMax: 100_000, interestsPerSubscriberMax: 1000)
        let byteCount = PeerRegistry.memoryByteCount(limits)
        #expect(byteCount == 110_000 * 88 + 100_000 * 52 + 10_000 * 40 + 256 * 4)
        limits.peersMax += 1
        #expect(PeerRegistry.memoryByteCount(limits) == byteCount + 88)
        limits.subscribersMax += 1
        #expect(PeerRegistry.memoryByteCount(limits) == byteCount + 88 + 40)
    }

    @Test func aNewsQueueTakesWhatItSays() {
        #expect(PeerNewsQueue.memoryByteCount(slotCount: 100, capacity: 1000) == 100 * 12 + 1000 * 72)
    }

    /// What keeps order is a tenth of the budget at most.
    @Test func aBacklogTakesWhatItSays() {
        let byteCount = RelayBacklog.memoryByteCount(slotCount: 65_536, BacklogLimits())
        #expect(byteCount > 64 << 20 && byteCount < (64 << 20) * 11 / 10, "\(byteCount)")
    }
}
