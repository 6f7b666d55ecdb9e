// Why a peer of the generator is not let in, or no more.

import ApusSecurity
import ApusWire

enum RelayFailure: Error, Equatable, CustomStringConvertible {
    case insecure(String)
    case notHTTP
    case upgrade(WebSocketUpgradeFailure)
    case frame(WebSocketViolation)
    /// A frame that relays never send: text, or a part of a message.
    case unexpectedFrame
    case authResponse
    case exposedAddress(String, expected: String)
    case closed(code: UInt16?, reason: String)
    /// It sends so much that has to be answered, and reads none of the answers.
    case flooded

    var description: String {
        switch self {
        case .insecure(let reason): reason
        case .notHTTP: "what it answers is no HTTP response: is this a relay's listener, and is --tls right?"
        case .upgrade(let failure): "\(failure)"
        case .frame(let violation): "its frames are wrong: \(violation)"
        case .unexpectedFrame: "it sends text or parts of messages, where relays send whole binary messages"
        case .authResponse: "its first message is no AuthResponse"
        case .exposedAddress(let found, let expected): "it calls itself \(found), and \(expected) was expected"
        case .closed(let code, let reason): "it closed with code \(code.map(String.init) ?? "none") \(reason)"
        case .flooded: "it asks faster than it reads the answers"
        }
    }
}
