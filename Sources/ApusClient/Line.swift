// One connection of the loop, as other threads name it: they can ask the loop to look after it, and to end it.

import ApusCompression
import ApusReactor
import ApusSecurity

struct Line: Sendable {
    private let loop: ClientLoop
    let id: UInt64

    init(_ id: UInt64, of loop: ClientLoop) {
        self.loop = loop
        self.id = id
    }

    /// The session's calls want attention. Once for each time its queue was empty, so that the loop's inbox is bounded.
    func attend() { loop.post(.attend(id)) }

    /// End the connection now. Once.
    func close() { loop.post(.close(id)) }
}

/// What the loop needs to connect.
struct Opening: Sendable {
    /// As the caller wrote it; for errors.
    let address: String
    /// Tried one after the other.
    let candidates: [SocketAddress]
    /// For all of them together.
    let timeout: Duration
    let opened: Waiter<Void>
    let security: ClientSecurity?
    let compression: CompressionSettings
    let payloadByteCountMax: Int
    /// Called once, on the loop's thread, where the session stays.
    let makeSession: @Sendable () -> any Session
}

enum LoopEvent: Sendable {
    case open(UInt64, Opening)
    case attend(UInt64)
    case close(UInt64)
}
