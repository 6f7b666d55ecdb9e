// A server for one test: blocking sockets, a thread per connection, and as honest as the test wants it to be.

import ApusReactor
import ApusWire
import Glibc
import Synchronization
import Testing

final class EchoPeer: Sendable {
    /// What the peer sends for an Echo request.
    struct Behaviour: Sendable {
        /// - Parameters:
        ///   - request: the whole packet.
        ///   - number: of the request on its connection, from zero.
        var reply: @Sendable (_ request: [UInt8], _ number: Int) -> [UInt8] = { request, _ in request }
        /// Sends are cut into pieces of so many bytes.
        var pieceByteCount = Int.max
        /// The connection is closed instead of answering the request of this number.
        var closesAt = Int.max
        var toPing = PingAnswer.pong
    }

    enum PingAnswer: Sendable {
        case pong, silence, close
    }

    struct Counts: Equatable, Sendable {
        var connections = 0
        var requests = 0
        var pings = 0
        var pongs = 0
        /// Hosts that connected.
        var sources: Set<String> = []
    }

    let address: SocketAddress
    private let listener: Descriptor
    private let behaviour: Behaviour
    private let counted = Mutex(Counts())

    init(at text: String = "127.0.0.1:0", _ behaviour: Behaviour = Behaviour()) throws {
        listener = try openListener(try SocketAddress(parsing: text), reusePort: false, backlog: 1024)
        address = try #require(boundAddress(of: listener))
        self.behaviour = behaviour
        _ = try LoopThread.start(name: "peer") { self.acceptAll() }
    }

    var counts: Counts { counted.withLock { $0 } }

    /// The counts as soon as they are as wanted, or when that takes too long: what was sent last may be under way.
    func counts(when isWanted: (Counts) -> Bool) -> Counts {
        for _ in 0..<1000 where !isWanted(counts) { sleepForTest(10 * .millisecond) }
        return counts
    }

    /// Accepts no more; connections that are open live until the other side ends them.
    func stop() { shutdown(listener.number, Int32(SHUT_RDWR)) }

    private func acceptAll() {
        while true {
            let number = accept(listener.number, nil, nil)
            guard number >= 0 else { break }
            let socket = Descriptor(number)
            // Nil for one that has gone already.
            let source = peerAddress(of: socket).map { String("\($0)".prefix { $0 != ":" }) }
            counted.withLock {
                $0.connections += 1
                if let source { $0.sources.insert(source) }
            }
            do {
                _ = try LoopThread.start(name: "peer") { self.serve(socket) }
            } catch {
                close(number)
            }
        }
        close(listener.number)
    }

    private func serve(_ socket: Descriptor) {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        var number = 0
        defer { close(socket.number) }
        while true {
            let count = recv(socket.number, &piece, piece.count, 0)
            guard count > 0 else { return }
            bytes += piece.prefix(count)
            let (replies, goesOn) = takeReplies(from: &bytes, &number)
            guard write(replies, to: socket) else { return }
            if !goesOn { return finish(socket) }
        }
    }

    /// Our FIN, and whatever the other side still sends: closing with that unread would reset the connection and
    /// destroy replies that are on their way.
    private func finish(_ socket: Descriptor) {
        shutdown(socket.number, Int32(SHUT_WR))
        var piece = [UInt8](repeating: 0, count: 64 * 1024)
        while recv(socket.number, &piece, piece.count, 0) > 0 {}
    }

    /// Whole packets are answered; the second value is false when the connection is to be closed after that.
    private func takeReplies(from bytes: inout [UInt8], _ number: inout Int) -> ([UInt8], Bool) {
        var replies: [UInt8] = []
        var offset = 0
        while case .packet(let payload) = PacketDecoder().step(bytes.span.bytes, at: offset) {
            switch bytes[payload.lowerBound] {
            case UInt8(MessageKind.ping.rawValue):
                counted.withLock { $0.pings += 1 }
                switch behaviour.toPing {
                case .pong: replies += PacketEncoder.encode(.pong)
                case .silence: break
                case .close: return (replies, false)
                }
            case UInt8(MessageKind.pong.rawValue):
                counted.withLock { $0.pongs += 1 }
            default:
                guard number < behaviour.closesAt else { return (replies, false) }
                counted.withLock { $0.requests += 1 }
                replies += behaviour.reply(Array(bytes[offset..<payload.upperBound]), number)
                number += 1
            }
            offset = payload.upperBound
        }
        bytes.removeFirst(offset)
        return (replies, true)
    }

    private func write(_ bytes: [UInt8], to socket: Descriptor) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let piece = Array(rest.prefix(behaviour.pieceByteCount))
            let sent = send(socket.number, piece, piece.count, Int32(MSG_NOSIGNAL))
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }
}
