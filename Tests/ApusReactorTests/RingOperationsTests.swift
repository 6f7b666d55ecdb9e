// Rings are confined by the kernel: what is not in their set is refused, whoever asks.

import ApusReactor
import CURing
import Glibc
import Testing

@Suite struct RingOperationsTests {
    @Test(arguments: RingTier.allCases) func aServersRingDoesNotConnect(tier: RingTier) throws {
        var ring = try Ring(sizes: .small, tier: tier, allowing: .serving)
        let pair = try SocketPair()
        var address = sockaddr()
        withUnsafeBytes(of: &address) { ring.connect(pair.ours, to: $0, token: Token(.connect, slot: 1)) }
        #expect(try ring.complete().result == -EACCES)
        ring.receive(from: pair.ours, token: Token(.receive, slot: 2))
        try pair.write([7])
        let lease = try #require(try ring.complete().lease)
        #expect(lease.bytes == [7])
        ring.recycle(lease)
    }

    @Test(arguments: RingTier.allCases) func aClientsRingDoesNotAccept(tier: RingTier) throws {
        var ring = try Ring(sizes: .small, tier: tier, allowing: .connecting)
        let address = try SocketAddress(parsing: "127.0.0.1:0")
        let listener = try openListener(address, reusePort: false, backlog: 1)
        defer { closeDescriptor(listener) }
        ring.accept(on: listener, token: Token(.accept, slot: 1))
        let completion = try ring.complete()
        #expect(completion.result == -EACCES)
        #expect(!completion.hasMore)
    }

    /// Each operation is refused by a ring whose set lacks it, and only by such a ring.
    @Test func eachOperationIsItsOwn() throws {
        let descriptor = Descriptor(-1)
        var event: UInt8 = 0
        for operation in [RingOperations.receive, .send, .shutdown, .close, .cancel, .doorbell] {
            for isAllowed in [true, false] {
                let allowed = isAllowed ? operation : RingOperations.all.subtracting(operation)
                var ring = try Ring(sizes: .small, tier: .floor, allowing: allowed)
                let token = Token(.cancel, slot: 1)
                switch operation {
                case .receive: ring.receive(from: descriptor, token: token)
                case .send: withUnsafeBytes(of: &event) { ring.send($0, to: descriptor, token: token) }
                case .shutdown: ring.shutdownWrite(descriptor, token: token)
                case .close: ring.close(descriptor, token: token)
                case .cancel: ring.cancel(Token(.accept, slot: 9), token: token)
                // tidy: a set of options has no last case; the doorbell is what is left of the list above
                default: ring.ringDoorbell(of: descriptor, delivering: token, token: token)
                }
                #expect(try (ring.complete().result == -EACCES) == !isAllowed)
            }
        }
    }

    /// No buffer, file or further restriction can be registered with a ring that runs.
    @Test func nothingIsRegisteredAfterwards() throws {
        let ring = try Ring(sizes: .small, tier: .floor, allowing: .serving)
        let number = UInt32(ring.descriptor.number)
        for call in [IORING_REGISTER_PROBE, IORING_REGISTER_PBUF_RING, IORING_REGISTER_FILES, IORING_REGISTER_EVENTFD,
            IORING_REGISTER_RESTRICTIONS, IORING_REGISTER_PERSONALITY]
        {
            #expect(io_uring_register(number, UInt32(call), nil, 0) == -EACCES)
        }
    }
}
