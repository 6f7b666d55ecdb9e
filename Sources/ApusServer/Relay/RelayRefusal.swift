// Why somebody did not become a peer of the relay, whatever found it out: the first message, its token, or the clock.

import ApusWire

public enum RelayRefusal: Equatable, BitwiseCopyable, Sendable {
    /// The first message is no Auth.
    case message(RelayAuthViolation)
    /// The token in it is not believed.
    case token(RelayTokenRefusal)
    /// It asked for something, and had not logged in when its time was over.
    case timeout

    /// The name in metrics and logs.
    public var label: String {
        switch self {
        case .message(let violation): "auth_" + violation.label
        case .token(let refusal): refusal.label
        case .timeout: "timeout"
        }
    }
}

extension RelayRefusal: CustomStringConvertible {
    public var description: String {
        switch self {
        case .message(let violation): "\(violation)"
        case .token(let refusal): "\(refusal)"
        case .timeout: "there was no login in time: is it a client of the relay, and is the way to it slow?"
        }
    }
}
