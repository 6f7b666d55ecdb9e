// libFuzzer driver for the relay's messages, read by either side: whatever comes is what a second, naive reader says it
// is, and what is accepted encodes to the bytes that came.

import ApusWire
import FuzzSupport

@main
struct FuzzRelay {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is one whole message.
func fuzz(_ message: [UInt8]) {
    checkAtServer(message)
    checkAtClient(message)
    checkAnswer(message)
}

// MARK: The relay reads

func checkAtServer(_ message: [UInt8]) {
    let read = RelayClientMessage(decoding: message.span.bytes)
    switch read {
    case .transport(let target, let payload):
        require(type(of: message) == 3, "another type became a Transport")
        check(target, payload, message)
    case .close: require(type(of: message) == 4, "another type became a Close")
    case .healthCheck: require(type(of: message) == 5, "another type became a HealthCheck")
    case .subscribe(let list):
        require(type(of: message) == 8, "another type became a Subscribe")
        check(list, .subscribePeerState, message)
    case .unsubscribe(let list):
        require(type(of: message) == 9, "another type became an Unsubscribe")
        check(list, .unsubscribePeerState, message)
    case .ignored(let fault): check(fault, message, handshake: [1, 6], lists: [8, 9])
    case .violation(let violation): check(violation, message, known: [1, 3, 4, 5, 6, 8, 9])
    }
}

// MARK: A client reads

func checkAtClient(_ message: [UInt8]) {
    let read = RelayServerMessage(decoding: message.span.bytes)
    switch read {
    case .transport(let source, let payload):
        require(type(of: message) == 3, "another type became a Transport")
        check(source, payload, message)
    case .close: require(type(of: message) == 4, "another type became a Close")
    case .healthCheck: require(type(of: message) == 5, "another type became a HealthCheck")
    case .peersOnline(let list):
        require(type(of: message) == 10, "another type became a PeersOnline")
        check(list, .peersOnline, message)
    case .peersWentOffline(let list):
        require(type(of: message) == 11, "another type became a PeersWentOffline")
        check(list, .peersWentOffline, message)
    case .ignored(let fault): check(fault, message, handshake: [2, 7], lists: [10, 11])
    case .violation(let violation): check(violation, message, known: [2, 3, 4, 5, 7, 10, 11])
    }
}

func checkAnswer(_ message: [UInt8]) {
    do throws(RelayAuthResponse.Violation) {
        let answer = try RelayAuthResponse(decoding: message.span.bytes)
        require(type(of: message) == 7 && 3...8192 ~= message.count, "no answer was read as one")
        let url = Array(message[answer.url])
        require(written { RelayEncoder.writeAuthResponse(url: url.span.bytes, into: &$0) } == message, "another answer")
    } catch {
        require(type(of: message) != 7 || message.count == 2 || message.count > 8192, "an answer was refused")
    }
}

// MARK: What both have

/// Nil unless there is a header of this version.
func type(of message: [UInt8]) -> UInt8? { message.count >= 2 && message[0] == 1 ? message[1] : nil }

func check(_ peer: PeerID, _ payload: Range<Int>, _ message: [UInt8]) {
    require(payload == 38..<message.count, "the datagram lies elsewhere")
    let again = written { RelayEncoder.writeTransportHeader(peer, into: &$0) } + message[payload]
    require(again == message, "a Transport encodes to other bytes")
    checkMask(peer, message)
}

/// Masked with bytes of its own, in each of the four positions.
func checkMask(_ peer: PeerID, _ message: [UInt8]) {
    let key = Array(message[34..<38])
    for phase in 0..<4 {
        let masked = (2..<38).map { message[$0] ^ key[($0 - 2 + phase) % 4] }
        let number = key.reversed().reduce(0) { $0 << 8 | UInt32($1) }
        require(PeerID(masked: masked.span.bytes, at: 0, key: number, phase: phase) == peer, "a mask changed an id")
    }
}

func check(_ list: PeerIDList, _ type: RelayMessageType, _ message: [UInt8]) {
    require(message.count == 2 + 36 * list.count, "the list is longer or shorter")
    guard 1...244 ~= list.count else { return }
    let peers = list.indices.map { list.id(at: $0, in: message.span.bytes) }
    require(written { RelayEncoder.writeList(type, peers.span, into: &$0) } == message, "a list encodes to other bytes")
}

func check(_ fault: RelayFault, _ message: [UInt8], handshake: Set<UInt8>, lists: Set<UInt8>) {
    switch fault {
    case .outOfPlace(let found):
        require(type(of: message) == found.rawValue && handshake.contains(found.rawValue), "it is in its place")
    case .transportTooShort(let byteCount):
        require(type(of: message) == 3 && byteCount == message.count && byteCount < 38, "a Transport was ignored")
    case .listLength(let found, let byteCount):
        require(type(of: message) == found.rawValue && lists.contains(found.rawValue), "another type is no list")
        require(byteCount == message.count && (byteCount - 2) % 36 != 0, "a list was ignored")
    }
}

func check(_ violation: RelayViolation, _ message: [UInt8], known: Set<UInt8>) {
    switch violation {
    case .empty: require(message.isEmpty, "something is called empty")
    case .tooShort: require(message.count == 1, "a header is called too short")
    case .version(let version): require(message.count >= 2 && message[0] == version && version != 1, "version 1 fails")
    case .type(let found): require(type(of: message) == found && !known.contains(found), "a known type fails")
    }
}

func written(_ write: (inout OutputRawSpan) -> Void) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 10_000) { buffer, count in
        var output = OutputRawSpan(buffer: UnsafeMutableRawBufferPointer(buffer), initializedCount: 0)
        write(&output)
        count = output.finalize(for: UnsafeMutableRawBufferPointer(buffer))
    }
}
