// What a receiver does with bad input, row by row (relay.md §1.3.8), and with every type there could be.

import ApusWire
import Testing

struct RelayTableTests {
    private static let none = [UInt8]()

    private func message(_ type: UInt8, _ byteCount: Int) -> [UInt8] {
        [1, type] + [UInt8](repeating: 0x41, count: byteCount - 2)
    }

    // MARK: The relay's column

    @Test func anEmptyMessageCloses() { #expect(fromClient(Self.none) == .violation(.empty)) }

    @Test func oneByteCloses() {
        for byte in UInt8.min...UInt8.max { #expect(fromClient([byte]) == .violation(.tooShort)) }
    }

    @Test func anotherVersionCloses() {
        for version in UInt8.min...UInt8.max where version != 1 {
            // Whatever the type: the version is looked at first.
            for type in [0, 3, 5, 99] as [UInt8] {
                let bytes = [version, type] + [UInt8](repeating: 0, count: 40)
                #expect(fromClient(bytes) == .violation(.version(version)))
            }
        }
    }

    @Test func aTypeThatNoClientSendsCloses() {
        let known: Set<UInt8> = [1, 3, 4, 5, 6, 8, 9]
        for type in UInt8.min...UInt8.max where !known.contains(type) {
            #expect(fromClient(message(type, 38)) == .violation(.type(type)))
            #expect(fromClient(message(type, 2)) == .violation(.type(type)))
        }
        #expect(Set(RelayMessageType.allCases.filter(\.isFromClient).map(\.rawValue)) == known)
    }

    @Test func theHandshakeOnceMoreIsIgnored() {
        for byteCount in [2, 42, 212, 8820] {
            #expect(fromClient(message(1, byteCount)) == .ignored(.outOfPlace(.hello)))
            #expect(fromClient(message(6, byteCount)) == .ignored(.outOfPlace(.auth)))
        }
    }

    @Test func aTransportWithoutAWholeIDIsIgnored() {
        for byteCount in 2..<38 {
            #expect(fromClient(message(3, byteCount)) == .ignored(.transportTooShort(byteCount: byteCount)))
        }
    }

    @Test func aListThatIsNoWholeNumberOfIDsIsIgnored() {
        for (type, byteCount) in [(8 as UInt8, 3), (8, 37), (8, 39), (9, 73), (9, 8785), (9, 8787), (8, 8820)] {
            let expected = RelayMessageType(rawValue: type).map { RelayFault.listLength($0, byteCount: byteCount) }
            #expect(fromClient(message(type, byteCount)) == expected.map { .ignored($0) })
        }
    }

    @Test func aListOfNobodyIsAccepted() {
        guard case .subscribe(let list) = fromClient([1, 8]), case .unsubscribe(let other) = fromClient([1, 9]) else {
            Issue.record("an empty list decodes to something else")
            return
        }
        #expect((list.count, other.count) == (0, 0))
    }

    @Test func everyNumberOfIDsUpToTheLargestIsRead() {
        for count in [1, 2, 243, 244] {
            let wanted = (0..<count).map { peer(UInt8($0 % 256)) }
            let message = [1, 8] + wanted.flatMap(bytes(of:))
            guard case .subscribe(let list) = fromClient(message) else {
                Issue.record("\(count) ids decode to something else")
                continue
            }
            #expect(ids(of: list, in: message) == wanted)
        }
    }

    @Test func datagramsOfEverySizeAreRead() {
        for byteCount in [0, 1, 2, 1312, 8781, 8782] {
            let message = [1, 3] + bytes(of: peer(7)) + [UInt8](repeating: 9, count: byteCount)
            #expect(fromClient(message) == .transport(destination: peer(7), payload: 38..<38 + byteCount))
            #expect(fromServer(message) == .transport(source: peer(7), payload: 38..<38 + byteCount))
        }
    }

    /// As the reference reads them: what follows the two bytes is not looked at.
    @Test func bytesBehindTheShortOnesDoNotMatter() {
        #expect(fromClient([1, 4, 0xFF]) == .close)
        #expect(fromClient([1, 5, 0xFF, 0xFF]) == .healthCheck)
        #expect(fromServer([1, 4, 0xFF]) == .close)
    }

    // MARK: The client's column

    @Test func aClientSeesTheSameFaults() {
        #expect(fromServer(Self.none) == .violation(.empty))
        #expect(fromServer([1]) == .violation(.tooShort))
        #expect(fromServer([2, 3]) == .violation(.version(2)))
        for byteCount in 2..<38 {
            #expect(fromServer(message(3, byteCount)) == .ignored(.transportTooShort(byteCount: byteCount)))
        }
        #expect(fromServer(message(10, 39)) == .ignored(.listLength(.peersOnline, byteCount: 39)))
        #expect(fromServer(message(11, 37)) == .ignored(.listLength(.peersWentOffline, byteCount: 37)))
    }

    @Test func aClientKnowsWhatServersSend() {
        let known: Set<UInt8> = [2, 3, 4, 5, 7, 10, 11]
        for type in UInt8.min...UInt8.max where !known.contains(type) {
            #expect(fromServer(message(type, 38)) == .violation(.type(type)))
        }
        #expect(Set(RelayMessageType.allCases.filter(\.isFromServer).map(\.rawValue)) == known)
        #expect(fromServer(message(2, 65)) == .ignored(.outOfPlace(.helloResponse)))
        #expect(fromServer(message(7, 30)) == .ignored(.outOfPlace(.authResponse)))
    }

    @Test func everyFaultSaysWhatItIs() {
        let faults: [RelayFault] = [
            .outOfPlace(.hello), .transportTooShort(byteCount: 37), .listLength(.subscribePeerState, byteCount: 3),
        ]
        #expect(Set(faults.map(\.description)).count == faults.count)
        let violations: [RelayViolation] = [.empty, .tooShort, .version(2), .type(99)]
        #expect(Set(violations.map(\.description)).count == violations.count)
        #expect(violations.map(\.label) == ["empty", "too_short", "bad_version", "bad_type"])
        #expect(Set(RelayMessageType.allCases.map(\.description)).count == 11)
    }
}
