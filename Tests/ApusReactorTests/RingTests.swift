import ApusReactor
import Glibc
import Testing

/// The real ring against the kernel, in both tiers. Each test makes its ring on its own thread and leaves it there.
@Suite struct RingTests {
    @Test(arguments: RingTier.allCases) func receivesWhatIsSentAndTakesBuffersBack(tier: RingTier) throws {
        var ring = try Ring(sizes: .small, tier: tier)
        let pair = try SocketPair()
        ring.receive(from: pair.ours, token: Token(.receive, slot: 7, generation: 3))
        // Four times what the buffers hold at once.
        for round in 0..<16 {
            try pair.write([UInt8](repeating: UInt8(round), count: 1000))
            let completion = try ring.complete()
            #expect(completion.token == Token(.receive, slot: 7, generation: 3))
            #expect(completion.hasMore)
            let lease = try #require(completion.lease)
            #expect(lease.bytes == [UInt8](repeating: UInt8(round), count: 1000))
            #expect(ring.leasesOut == 1)
            ring.recycle(lease)
            #expect(ring.leasesOut == 0)
        }
    }

    /// In the newest tier one completion may bring several buffers; nobody above sees a difference.
    @Test(arguments: RingTier.allCases) func bytesArriveInOrderAcrossManyBuffers(tier: RingTier) throws {
        var ring = try Ring(sizes: .small, tier: tier)
        let pair = try SocketPair()
        let sent = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        var (written, received) = (0, [UInt8]())
        ring.receive(from: pair.ours, token: Token(.receive, slot: 0))
        while received.count < sent.count {
            written += pair.writeWhatFits(sent[written...])
            let completion = try ring.complete()
            if let lease = completion.lease {
                received += lease.bytes
                ring.recycle(lease)
            } else {
                #expect(ReceiveError(completion.result) == .starved)
            }
            if !completion.hasMore { ring.receive(from: pair.ours, token: Token(.receive, slot: 0)) }
        }
        #expect(received == sent)
        #expect(ring.leasesOut == 0)
    }

    @Test(arguments: RingTier.allCases)
    func withoutAFreeBufferTheReceiveEndsStarvedAndCanBeArmedAgain(tier: RingTier) throws {
        var ring = try Ring(sizes: .small, tier: tier)
        let pair = try SocketPair()
        try pair.write([UInt8](repeating: 1, count: 6 * 4096))
        ring.receive(from: pair.ours, token: Token(.receive, slot: 0))
        var leases: [Lease] = []
        var last: Completion?
        while last?.hasMore ?? true {
            let completion = try ring.complete()
            if let lease = completion.lease { leases.append(lease) }
            last = completion
        }
        #expect(leases.count == 4)
        // A bundle that takes the last buffers may end the receive itself.
        if last?.lease == nil { #expect(last.map { ReceiveError($0.result) } == .starved) }

        for lease in leases { ring.recycle(lease) }
        ring.receive(from: pair.ours, token: Token(.receive, slot: 1))
        let next = try ring.complete()
        #expect(next.token.slot == 1)
        let lease = try #require(next.lease)
        ring.recycle(lease)
    }

    @Test func sendShutdownAndCloseComplete() throws {
        var ring = try Ring(sizes: .small, tier: .floor)
        let pair = try SocketPair()
        let bytes: [UInt8] = [1, 2, 3]
        bytes.withUnsafeBytes { ring.send($0, to: pair.ours, token: Token(.send, slot: 1)) }
        #expect(ring.wait()?.result == 3)
        #expect(pair.read(3) == bytes)

        ring.shutdownWrite(pair.ours, token: Token(.shutdown, slot: 1))
        #expect(ring.wait()?.result == 0)
        #expect(pair.read(1) == [])

        let duplicate = Descriptor(dup(pair.ours.number))
        ring.close(duplicate, token: Token(.close, slot: 1))
        #expect(ring.wait()?.result == 0)
        #expect(fcntl(duplicate.number, F_GETFD) == -1)
    }

    @Test func peerFinishAndCancelEndAReceive() throws {
        var ring = try Ring(sizes: .small, tier: .floor)
        let pair = try SocketPair()
        ring.receive(from: pair.ours, token: Token(.receive, slot: 2))
        ring.cancel(Token(.receive, slot: 2), token: Token(.cancel, slot: 2))
        var ends: [Operation?: Int32] = [:]
        while ends.count < 2 {
            let completion = try ring.complete()
            #expect(!completion.hasMore)
            ends[completion.token.operation] = completion.result
        }
        #expect(ends[.receive] == -ECANCELED)

        ring.receive(from: pair.ours, token: Token(.receive, slot: 3))
        pair.closeTheirs()
        let finished = try ring.complete()
        #expect(ReceiveError(finished.result) == .finished)
        #expect(finished.lease == nil)
    }

    @Test func waitEndsAtItsDeadlineAndNotBefore() throws {
        var ring = try Ring(sizes: .small, tier: .floor)
        let deadline = ring.now + 20 * .millisecond
        ring.submitAndWait(until: deadline)
        #expect(ring.next() == nil)
        #expect(ring.now >= deadline)
    }

    @Test func anotherThreadWakesThroughTheInbox() throws {
        var ring = try Ring(sizes: .small, tier: .floor)
        let inbox = try Inbox<Int>(countMax: 8)
        ring.awaitWake(inbox.eventDescriptor, token: Token(.wake, slot: 0))
        let thread = try LoopThread.start(name: "poster") { _ = inbox.post(42) }
        #expect(ring.wait()?.token.operation == .wake)
        #expect(inbox.takeAll() == [42])
        thread.join()
    }

    @Test(arguments: RingTier.allCases) func doorbellWakesARingOnAnotherThread(tier: RingTier) throws {
        let address = Gate<Descriptor>()
        let rung = Gate<UInt64?>()
        let thread = try LoopThread.start(name: "sleeper") {
            do {
                var sleeper = try Ring(sizes: .small, tier: tier)
                address.open(with: sleeper.descriptor)
                rung.open(with: sleeper.wait()?.token.bits)
            } catch {
                Issue.record(error)
                address.open(with: Descriptor(-1))
                rung.open(with: nil)
            }
        }
        var ring = try Ring(sizes: .small, tier: tier)
        let bell = Token(.doorbell, slot: 5)
        ring.ringDoorbell(of: address.wait(), delivering: bell, token: Token(.ring, slot: 0))
        #expect(ring.wait()?.result == 0)
        #expect(rung.wait() == bell.bits)
        thread.join()
    }

    @Test func moreOperationsThanTheQueueHoldsAreAllSubmitted() throws {
        var ring = try Ring(sizes: .small, tier: .floor)
        let pair = try SocketPair()
        let byte: [UInt8] = [9]
        byte.withUnsafeBytes { bytes in
            for slot in 0..<100 { ring.send(bytes, to: pair.ours, token: Token(.send, slot: UInt32(slot))) }
            var slots = Set<UInt32>()
            while slots.count < 100, let completion = ring.wait() {
                #expect(completion.result == 1)
                slots.insert(completion.token.slot)
            }
            #expect(slots.count == 100)
        }
        #expect(pair.read(100).count == 100)
        #expect(ring.overflowCount == 0)
    }

    @Test func multishotAcceptBringsEachConnection() throws {
        var ring = try Ring(sizes: .small, tier: .floor)
        let listeners = try Listeners.open(at: SocketAddress(parsing: "127.0.0.1:0"), count: 1)
        defer { listeners.close() }
        ring.accept(on: listeners.descriptors[0], token: Token(.accept, slot: 0))
        for _ in 0..<3 {
            let client = try openStream(for: listeners.address)
            defer { closeDescriptor(client) }
            withUnsafePointer(to: listeners.address) { address in
                ring.connect(client, to: SocketAddress.bytes(of: address), token: Token(.connect, slot: 0))
                var accepted: Descriptor?
                var connected: Int32?
                while accepted == nil || connected == nil, let completion = ring.wait() {
                    switch completion.token.operation {
                    case .accept: accepted = Descriptor(completion.result)
                    case .connect: connected = completion.result
                    default: Issue.record("an operation nobody asked for")
                    }
                }
                #expect(connected == 0)
                #expect((accepted?.number ?? -1) >= 0)
                if let accepted { closeDescriptor(accepted) }
            }
        }
    }
}

@Suite struct RingCapabilityTests {
    @Test func bundlesNeedTheFeatureAndAKernelThatKeepsThemInOrder() {
        let everything = UInt32.max
        #expect(RingCapabilities(features: everything, release: KernelRelease(6, 16)).receiveBundles)
        #expect(!RingCapabilities(features: everything, release: KernelRelease(6, 15)).receiveBundles)
        #expect(!RingCapabilities(features: 0, release: KernelRelease(6, 18)).receiveBundles)
    }

    @Test func theFloorTierUsesNothingNew() throws {
        #expect(try Ring(sizes: .small, tier: .floor).capabilities == .floor)
    }

    @Test(arguments: [("6.1.0-28-amd64", 6, 1), ("6.18.44", 6, 18), ("7.0-rc1", 7, 0), ("6", 6, 0), ("", 0, 0)])
    func readsReleases(text: String, major: Int, minor: Int) {
        let release = KernelRelease(parsing: text)
        #expect(release.major == major && release.minor == minor)
    }

    @Test(arguments: [EPERM, ENOSYS, EINVAL, ENOMEM, EMFILE, EIO])
    func everyRefusalSaysWhyAndWhatToDo(errno: Int32) {
        let sentence = RingUnavailable.refused(errno: errno).description
        #expect(sentence.contains("io_uring") && sentence.hasSuffix("."))
        #expect(!sentence.contains("\n"))
    }

    @Test func tokensKeepTheirParts() {
        let token = Token(.send, slot: 0xDEAD_BEEF, generation: 0xFF12_3456)
        #expect(token.operation == .send)
        #expect(token.slot == 0xDEAD_BEEF)
        #expect(token.generation == 0x12_3456)
        #expect(Token(bits: 0).operation == nil)
    }
}

extension RingSizes {
    /// Little of everything, so that every limit is met.
    static var small: RingSizes {
        var sizes = RingSizes()
        (sizes.submissions, sizes.completions, sizes.buffers, sizes.bufferByteCount) = (16, 256, 4, 4096)
        return sizes
    }
}

extension Ring {
    /// The next completion, waiting for it for at most ten seconds.
    mutating func wait() -> Completion? {
        if let completion = next() { return completion }
        submitAndWait(until: now + 10 * .second)
        return next()
    }

    mutating func complete() throws -> Completion {
        guard let completion = wait() else { throw NothingCompleted() }
        return completion
    }
}

struct NothingCompleted: Error {}

extension Lease {
    var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: start, count: Int(byteCount))) }
}

/// A connected pair of stream sockets; the ring has one end, the test the other.
final class SocketPair {
    let ours: Descriptor
    private var theirs: Descriptor

    init() throws {
        var numbers: [Int32] = [-1, -1]
        let made = socketpair(AF_UNIX, streamKind, 0, &numbers)
        try #require(made == 0)
        (ours, theirs) = (Descriptor(numbers[0]), Descriptor(numbers[1]))
    }

    deinit {
        closeDescriptor(ours)
        closeTheirs()
    }

    func closeTheirs() {
        if theirs.number >= 0 { closeDescriptor(theirs) }
        theirs = Descriptor(-1)
    }

    func write(_ bytes: [UInt8]) throws {
        let written = Glibc.write(theirs.number, bytes, bytes.count)
        try #require(written == bytes.count)
    }

    func writeWhatFits(_ bytes: ArraySlice<UInt8>) -> Int {
        guard !bytes.isEmpty else { return 0 }
        return max(0, bytes.withUnsafeBytes { send(theirs.number, $0.baseAddress, $0.count, dontWait) })
    }

    func read(_ count: Int) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let received = Glibc.read(theirs.number, &bytes, count)
        return Array(bytes.prefix(max(0, received)))
    }
}

// Linux's numbers; their Swift types differ with what else is imported.
let streamKind: Int32 = 1
let dontWait: Int32 = 0x40
