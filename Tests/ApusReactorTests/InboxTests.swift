import ApusReactor
import Glibc
import Testing

@Suite struct InboxTests {
    /// Whether `descriptor` is readable within `milliseconds`.
    private static func isReadable(_ descriptor: Descriptor, within milliseconds: Int32 = 0) -> Bool {
        var entry = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, milliseconds) == 1
    }

    /// What the ring does when the eventfd wakes it; zero when nothing would.
    private static func readWakes(_ descriptor: Descriptor) -> UInt64 {
        guard isReadable(descriptor) else { return 0 }
        var count: UInt64 = 0
        return read(descriptor.number, &count, 8) == 8 ? count : 0
    }

    @Test func keepsOrder() throws {
        let inbox = try Inbox<Int>(countMax: 10)
        for number in 0..<5 { #expect(inbox.post(number)) }
        #expect(inbox.takeAll() == [0, 1, 2, 3, 4])
        #expect(inbox.takeAll() == [])
    }

    @Test func refusesMoreThanItsLimit() throws {
        let inbox = try Inbox<Int>(countMax: 2)
        #expect(inbox.post(1))
        #expect(inbox.post(2))
        #expect(!inbox.post(3))
        #expect(inbox.takeAll() == [1, 2])
        #expect(inbox.post(4))
    }

    @Test func wakesOnlyWhenItWasEmpty() throws {
        let inbox = try Inbox<Int>(countMax: 10)
        #expect(!Self.isReadable(inbox.eventDescriptor))
        for number in 0..<3 { #expect(inbox.post(number)) }
        #expect(Self.isReadable(inbox.eventDescriptor))
        #expect(Self.readWakes(inbox.eventDescriptor) == 1)
        #expect(inbox.takeAll().count == 3)
        #expect(inbox.post(3))
        #expect(Self.readWakes(inbox.eventDescriptor) == 1)
    }

    @Test func closingHandsOverTheRestAndRefuses() throws {
        let inbox = try Inbox<Int>(countMax: 10)
        #expect(inbox.post(1))
        #expect(inbox.close() == [1])
        #expect(!inbox.post(2))
        #expect(inbox.takeAll() == [])
        #expect(inbox.close() == [])
    }

    /// Four threads post, one sleeps until it is woken: every element arrives, each thread's in order.
    @Test func losesNothingBetweenThreads() throws {
        let (posters, each) = (4, 20_000)
        let inbox = try Inbox<(poster: Int, number: Int)>(countMax: posters * each)
        let threads = try (0..<posters).map { poster in
            try LoopThread.start(name: "poster") {
                for number in 0..<each { precondition(inbox.post((poster, number))) }
            }
        }
        var next = Array(repeating: 0, count: posters)
        while next.reduce(0, +) < posters * each {
            try #require(Self.isReadable(inbox.eventDescriptor, within: 30_000), "a wake-up was lost")
            _ = Self.readWakes(inbox.eventDescriptor)
            for (poster, number) in inbox.takeAll() {
                try #require(number == next[poster], "out of order")
                next[poster] += 1
            }
        }
        for thread in threads { thread.join() }
        #expect(next == Array(repeating: each, count: posters))
    }
}
