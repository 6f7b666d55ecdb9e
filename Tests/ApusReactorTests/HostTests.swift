// Hosts, networks, and what each host may have.

import ApusReactor
import Synchronization
import Testing

@Suite struct HostTests {
    private let first = HostAddress(ipv4: 0x0A01_0203)

    private func host(_ text: String) throws -> HostAddress {
        try #require(try SocketAddress(parsing: text.contains(":") ? "[\(text)]:1" : text + ":1").host)
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.1.2.3", true), ("10.0.0.0/8", "11.0.0.0", false), ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3/32", "10.1.2.4", false), ("0.0.0.0/0", "255.255.255.255", true), ("0.0.0.0/0", "::1", false),
        ("::/0", "10.1.2.3", true), ("2001:db8::/32", "2001:db8:ffff::1", true),
        ("2001:db8::/32", "2001:db9::1", false), ("2001:db8::1", "2001:db8::1", true),
        ("2001:db8:0:1::/64", "2001:db8:0:1:ffff::", true), ("2001:db8:0:1::/64", "2001:db8:0:2::", false),
        ("2001:db8::4/126", "2001:db8::7", true), ("2001:db8::4/126", "2001:db8::8", false),
    ])
    func aNetworkContains(_ network: String, _ address: String, _ contains: Bool) throws {
        #expect(try #require(HostNetwork(parsing: network)).contains(host(address)) == contains)
    }

    @Test(arguments: [
        "", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/-1", "10.0.0.0/", "10.0/8", "::/129", "::1/64", "host/8",
        "10.0.0.0/8/8", "10.0.0.0/ 8", "/8", "::1%lo",
    ])
    func thisIsNoNetwork(_ text: String) { #expect(HostNetwork(parsing: text) == nil) }

    @Test func loopback() throws {
        for near in ["127.0.0.1", "127.255.0.9", "::1"] {
            #expect(try HostNetwork.loopback.contains { $0.contains(try host(near)) })
        }
        for far in ["128.0.0.1", "::2", "10.0.0.1"] {
            #expect(try !HostNetwork.loopback.contains { $0.contains(try host(far)) })
        }
    }

    @Test func aSiteIsAnIPv4AddressOrANetworkOf64Bits() throws {
        #expect(try host("10.1.2.3").site == first)
        #expect(try host("2001:db8::1").site == host("2001:db8::2").site)
        #expect(try host("2001:db8::1").site != host("2001:db8:0:1::1").site)
    }

    // MARK: Rates

    @Test func aBurstAndThenARate() {
        let rate = RateLimit(perSecond: 10, burst: 3)
        var (full, now) = (Instant(nanoseconds: 0), Instant(nanoseconds: 5 * .second))
        func admit() -> Bool {
            guard let next = rate.admit(full, at: now) else { return false }
            full = next
            return true
        }
        #expect((0..<5).map { _ in admit() } == [true, true, true, false, false])
        now = now + 99 * .millisecond
        #expect(!admit())
        now = now + .millisecond
        #expect(admit() && !admit())
        // Never more than the burst, however long nothing came.
        now = now + 3600 * .second
        #expect((0..<5).map { _ in admit() } == [true, true, true, false, false])
    }

    // MARK: The table

    private func place(_ answer: HostTable.Answer) -> HostPlace? {
        if case .admitted(let place) = answer { place } else { nil }
    }

    @Test func countsAndGivesBack() throws {
        let table = try HostTable(connectionsMax: 100)
        let limits = HostAllowance(rate: nil, connectionsMax: 2)
        let now = Instant(nanoseconds: 1)
        let places = try (0..<2).map { _ in try #require(place(table.admit(first, limits, at: now))) }
        #expect(table.admit(first, limits, at: now) == .tooMany)
        table.release(places[0])
        #expect(place(table.admit(first, limits, at: now)) == places[0])
        #expect(table.connectionCount == 2)
        table.release(.none)
        #expect(table.connectionCount == 2)
    }

    /// A host that comes back finds its debt where it left it, whoever came meanwhile.
    @Test func aDebtIsNotForgottenForOthers() throws {
        let table = try HostTable(connectionsMax: 1)
        let limits = HostAllowance(rate: RateLimit(perSecond: 1, burst: 1), connectionsMax: nil)
        let now = Instant(nanoseconds: 1)
        table.release(try #require(place(table.admit(first, limits, at: now))))
        for number in 0..<100_000 as Range<UInt32> {
            if let place = place(table.admit(HostAddress(ipv4: number), limits, at: now)) { table.release(place) }
        }
        #expect(table.admit(first, limits, at: now) == .tooFast)
        #expect(place(table.admit(first, limits, at: now + .second)) != nil)
    }

    /// More hosts than entries: nobody is kept out, and nothing is lost from the count.
    @Test func aFullTableLimitsNobody() throws {
        let table = try HostTable(connectionsMax: 1)
        let limits = HostAllowance(rate: nil, connectionsMax: 1)
        let now = Instant(nanoseconds: 1)
        let places = (0..<20_000 as Range<UInt32>).compactMap { number in
            place(table.admit(HostAddress(ipv4: number), limits, at: now))
        }
        #expect(places.count == 20_000)
        #expect(places.count { $0 != .none } == 4096)
        places.forEach(table.release)
        #expect(table.connectionCount == 0)
    }

    /// Shards come and go at once, each with its connections: in the end none is left, and never were there too many.
    @Test func shardsDoNotDisturbOneAnother() throws {
        let table = try HostTable(connectionsMax: 100)
        let tally = Tally()
        let limits = HostAllowance(rate: nil, connectionsMax: 5)
        let threads = try (0..<4).map { [first] thread in
            try LoopThread.start(name: "host-\(thread)") {
                var held: [HostPlace] = []
                for round in 0..<20_000 {
                    if case .admitted(let place) = table.admit(first, limits, at: Instant(nanoseconds: 1)) {
                        tally.opened()
                        held.append(place)
                    }
                    if round % 3 != 0, let place = held.popLast() {
                        tally.closed()
                        table.release(place)
                    }
                }
                for place in held {
                    tally.closed()
                    table.release(place)
                }
            }
        }
        threads.forEach { $0.join() }
        #expect(table.connectionCount == 0)
        #expect((1...5).contains(tally.mostOpen))
    }
}

/// What threads have open together: counted behind the table's own count, and off before it.
private final class Tally: Sendable {
    private let open = Atomic(0)
    private let most = Atomic(0)

    var mostOpen: Int { most.load(ordering: .relaxed) }

    func opened() {
        let count = open.add(1, ordering: .sequentiallyConsistent).newValue
        _ = most.max(count, ordering: .relaxed)
    }

    func closed() { open.subtract(1, ordering: .sequentiallyConsistent) }
}
