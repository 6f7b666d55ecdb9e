// What a side of the handshake is told before it begins. Nothing in here is printed.

import COpenSSL

/// A secret that both sides were given beforehand. Draw it at random: it is not stretched, so a word or phrase could be
/// found by trying.
///
/// `@unchecked`: it never changes after `init`.
@safe
public final class PresharedKey: @unchecked Sendable {
    public static let byteCountMin = 16

    public let byteCount: Int
    /// What it leads to in the key schedule; the key itself is not kept.
    let extracted: SecretKey32

    /// - Parameter bytes: fewer than 16 are a problem that `HandshakeSettings` reports, and none match no peer's. The
    ///   caller's copy is the caller's to wipe.
    public init(_ bytes: RawSpan) {
        byteCount = bytes.byteCount
        extracted = bytes.isEmpty ? .random() : KeySchedule.extract(presharedKey: bytes)
    }

    func isSame(as other: PresharedKey) -> Bool { extracted.isSame(as: other.extracted) }
}

/// The same for both roles. Without a pre-shared key and without pins, nobody is authenticated.
public struct HandshakeSettings: Sendable {
    /// With one, a peer without the same is refused.
    public var presharedKey: PresharedKey?
    /// With one, this side signs, and shows the public key to whoever asks for a connection.
    public var identity: IdentityKey?
    /// Ed25519 public keys, 32 bytes each. With any, a peer that does not sign with one of them is refused.
    public var pinnedPeers: [[UInt8]] = []
    /// Whether a plain version 1 peer is let in in spite of a pre-shared key or pins. Then everybody is: who sits
    /// between two peers can make each take the other for one of version 1.
    public var allowsV1 = false
    /// Codes of the algorithms that payloads may be compressed with, best first: 1 lz4, 2 zstd. Empty: none.
    public var compression: [UInt8] = []
    /// Whether the handshake extension is spoken at all. Without it there are no keys per direction, and neither
    /// authentication nor compression.
    public var speaksExtension = true

    public init() {}

    /// Whether handshakes would go the same way.
    public func isSame(as other: HandshakeSettings) -> Bool {
        let isKeySame = switch (presharedKey, other.presharedKey) {
        case (nil, nil): true
        case (let key?, let otherKey?): key.isSame(as: otherKey)
        case (nil, _?), (_?, nil): false
        }
        return isKeySame && identity?.publicKey == other.identity?.publicKey && pinnedPeers == other.pinnedPeers
            && allowsV1 == other.allowsV1 && compression == other.compression
            && speaksExtension == other.speaksExtension
    }

    /// Whether a peer has to prove something.
    var requiresAuthentication: Bool { presharedKey != nil || !pinnedPeers.isEmpty }

    /// What cannot be used, each with what to do. Empty: all is well.
    public func problems() -> [String] {
        var problems: [String] = []
        if let presharedKey, presharedKey.byteCount < PresharedKey.byteCountMin {
            problems.append("pre-shared key: at least 16 random bytes, found \(presharedKey.byteCount)")
        }
        for (index, pin) in pinnedPeers.enumerated() where pin.count != Ed25519.keyByteCount {
            problems.append("pinned peer \(index + 1): an Ed25519 public key has 32 bytes, found \(pin.count)")
        }
        if compression.contains(0) || Set(compression).count != compression.count {
            problems.append("compression: name each algorithm once")
        }
        if compression.count > HandshakeFormat.compressionCountMax {
            problems.append("compression: at most \(HandshakeFormat.compressionCountMax) algorithms")
        }
        return problems + extensionProblems
    }

    private var extensionProblems: [String] {
        guard !speaksExtension, requiresAuthentication || identity != nil || !compression.isEmpty else { return [] }
        return ["a pre-shared key, identities and compression need the handshake extension: let it be spoken"]
    }
}
