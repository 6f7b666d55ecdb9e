// What a relay's clients need to be let in: where it is, what it is called, and a token. It opens nothing.

import ApusReactor
import ApusSecurity
import ApusWire

/// How the generator's peers come to a relay.
package struct RelayAccess: Sendable {
    static let path = "/relay"
    /// Longer than any run.
    private static let tokenLifetimeSeconds: Int64 = 7 * 86_400

    package var address: SocketAddress
    /// Of the request's Host field.
    package var host: String
    /// What tokens are signed with; nil: a bare Auth, which only a relay accepts that believes everybody.
    package var authSecret: String?
    /// What the relay must call itself; nil: anything.
    package var exposedAddress: String?
    /// TLS, or nil.
    package var security: ClientSecurity?
    package var tier = RingTier.newest

    package init(address: SocketAddress) {
        self.address = address
        host = address.unixPath == nil ? "\(address)" : "localhost"
    }

    func validate() throws(LoadError) {
        if case .handshake = security {
            throw .configuration("security", value: "handshake", allowed: "tls or none: relays know no other")
        }
        if authSecret == "" { throw .configuration("auth-secret", value: "empty", allowed: "1 … characters") }
    }

    /// Good for all peers of a run: a token is not bound to an id (relay.md §2.2).
    func mintToken() -> [UInt8] {
        guard let authSecret else { return [] }
        let now = Int64(WallClock.milliseconds() / 1000)
        return RelayTokenKeys(secrets: [authSecret]).mint(expirySeconds: now + RelayAccess.tokenLifetimeSeconds)
    }
}
