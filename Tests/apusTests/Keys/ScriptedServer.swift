// The other end of a client verb: a plain NPRO server that does with each request what a test says. It shares no code
// with the real one.

import ApusWire
import Foundation
import Glibc
import Synchronization
import TestSupport

final class ScriptedServer: Sendable {
    enum Answer: Sendable {
        case reply(Message)
        /// Close the connection, after so many milliseconds.
        case end(afterMilliseconds: UInt32)
    }

    private struct State {
        var arrivals: [ContinuousClock.Instant] = []
        var requests: [Message] = []
    }

    let address: String
    private let listener: Int32
    private let state = Mutex(State())

    /// - Parameter answer: to a request of the connection with this number, from 0.
    init(at path: String, _ answer: @escaping @Sendable (_ connection: Int, _ request: Message) -> Answer) throws {
        address = "unix:\(path)"
        listener = try TestSocket.listening(address)
        Thread.detachNewThread { [self] in
            for connection in 0... {
                let descriptor = accept(listener, nil, nil)
                guard descriptor >= 0 else { return }
                state.withLock { $0.arrivals.append(.now) }
                Thread.detachNewThread { self.serve(descriptor) { answer(connection, $0) } }
            }
        }
    }

    /// Ends the thread that accepts.
    func stop() {
        shutdown(listener, Int32(SHUT_RDWR))
        close(listener)
    }

    /// When each connection came.
    var arrivals: [ContinuousClock.Instant] { state.withLock { $0.arrivals } }
    var requests: [Message] { state.withLock { $0.requests } }

    private func serve(_ descriptor: Int32, _ answer: (Message) -> Answer) {
        defer { close(descriptor) }
        while let request = ScriptedServer.read(descriptor) {
            state.withLock { $0.requests.append(request) }
            switch answer(request) {
            case .reply(let message):
                let bytes = PacketEncoder.encode(message)
                _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            case .end(let milliseconds):
                usleep(1000 * milliseconds)
                return
            }
        }
    }

    private static func read(_ descriptor: Int32) -> Message? {
        guard let header = bytes(PacketFormat.headerByteCount, from: descriptor) else { return nil }
        let count = header[5...].reduce(0) { $0 << 8 | Int($1) }
        guard let payload = bytes(count, from: descriptor) else { return nil }
        do {
            return try Message(decoding: payload.span.bytes)
        } catch {
            return nil
        }
    }

    private static func bytes(_ count: Int, from descriptor: Int32) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        guard count > 0 else { return bytes }
        return recv(descriptor, &bytes, count, Int32(MSG_WAITALL)) == count ? bytes : nil
    }
}
