// From a peer's key to the id that others reach it by (relay.md §1.4).

import ApusWire

extension PeerID {
    /// - Parameter key: any text; clients hash their WireGuard public key as it is written in base64, 44 characters.
    public init(hashing key: String) {
        let bytes = Array("sha-".utf8) + SHA256.hash(Array(key.utf8).span.octets)
        self.init(bytes.span.octets, at: 0)
    }
}
