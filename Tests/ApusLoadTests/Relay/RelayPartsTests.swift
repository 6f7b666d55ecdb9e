// The leaves under the load over a relay: keys, datagrams, the book, placements.

import ApusReactor
import ApusWire
import Testing

@testable import ApusLoad

@Suite struct RelayPartsTests {
    @Test func `masking keys differ, across the pool's end too`() {
        var keys = MaskingKeys()
        let drawn = (0..<3000).map { _ in keys.next() }
        // 3,000 of four billion: one pair alike in a thousand runs.
        #expect(Set(drawn).count >= 2998)
    }

    @Test(arguments: [16, 17, 200])
    func `a datagram is known again, and any change of it seen`(size: Int) {
        let byteCount = RelayFormat.transportHeaderByteCount + size
        let memory = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 8)
        defer { memory.deallocate() }
        let datagram = RelayDatagram(start: memory, byteCount: byteCount)
        var identities = RelayIdentities()
        let target = identities.next()
        datagram.fill(to: target, from: 3)
        datagram.stamp(number: 5, departure: Instant(nanoseconds: 77))
        #expect(RelayDatagram.number(in: datagram.bytes) == 5)
        #expect(RelayDatagram.departure(in: datagram.bytes) == Instant(nanoseconds: 77))
        #expect(
            RelayServerMessage(decoding: datagram.bytes.bytes) == .transport(source: target, payload: 38..<byteCount))
        for offset in 54..<byteCount {
            var copy = Array(datagram.bytes)
            #expect(copy.withUnsafeBytes { datagram.matches($0) })
            copy[offset] ^= 1
            #expect(!copy.withUnsafeBytes { datagram.matches($0) })
        }
        #expect(!datagram.matches(UnsafeRawBufferPointer(rebasing: datagram.bytes.dropLast())))
    }

    @Test func `identities differ and look like those of clients`() {
        var (first, second) = (RelayIdentities(), RelayIdentities())
        let ids = (0..<100).map { _ in first.next() } + (0..<100).map { _ in second.next() }
        #expect(Set(ids).count == 200)
        #expect(ids.allSatisfy { $0.words.0 & 0xFFFF_FFFF == 0x2D61_6873 })
    }

    @Test(arguments: [false, true])
    func `only the measured time has latencies`(countsDepartures: Bool) {
        func at(_ microseconds: UInt64) -> Instant { Instant(nanoseconds: microseconds * 1000) }
        var book = RelayBook(countsDepartures: countsDepartures)
        book.write(6)
        book.deliver(at(10), at: at(90))
        book.endRun(at: at(90))
        book.measure(from: at(100), to: at(200))
        for _ in 0..<2 { book.deliver(at(95), at: at(110)) }
        book.deliver(at(105), at: at(110))
        book.endRun(at: at(110))
        book.deliver(at(190), at: at(210))
        book.endRun(at: at(210))
        book.lose(1)
        #expect(book.delivered == 5 && book.measured == 3 && book.lost == 1 && book.outstanding == 0)
        // By departure: 105 and 190. By arrival: the three of 110.
        #expect(book.latency.count == (countsDepartures ? 2 : 3))
        #expect(abs(book.latency.report.max - (countsDepartures ? 20 : 15)) < 0.1)
    }

    @Test func `pairs are made within and across shards`() {
        let groups = [[0, 3, 4], [1, 2, 5, 6]]
        #expect(RelayPlacement.within(groups).map { [$0.0, $0.1] } == [[0, 3], [1, 2], [5, 6]])
        #expect(RelayPlacement.across(groups).map { [$0.0, $0.1] } == [[1, 0], [3, 2], [5, 4]])
        #expect(RelayPlacement.across([[0, 1, 2]]).isEmpty)
    }

    @Test func `limits are refused with their reason`() throws {
        let access = RelayAccess(address: try SocketAddress(parsing: "127.0.0.1:1"))
        for (size, pairs, window) in [(15, 1, 1), (8783, 1, 1), (16, 0, 1), (16, 1, 0)] {
            var configuration = RelayLoadConfiguration(access: access)
            (configuration.datagramByteCount, configuration.pairs, configuration.window) = (size, pairs, window)
            #expect(throws: LoadError.self) { try configuration.validate() }
        }
        var configuration = RelayLoadConfiguration(access: access)
        try configuration.validate()
        configuration.placement = .same
        #expect(throws: LoadError.self) { try configuration.validate() }
    }
}
