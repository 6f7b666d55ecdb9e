// The secrets that tokens of the relay are signed with (relay.md §2). It judges a token's bytes and a time that it is
// told; who brings the token is none of its concern.

import ApusWire
import COpenSSL

/// What a token that is believed says.
public struct RelayTokenClaim: Equatable, BitwiseCopyable, Sendable {
    /// Seconds since 1970; that second is still good.
    public let expirySeconds: Int64
    /// Signed with the current secret, not with one that is merely still honoured.
    public let isCurrent: Bool
}

/// Several secrets are good at once, so that one can be replaced without turning anybody away: first the current one,
/// then those before it. A key is the SHA-256 of a secret; the keys are wiped when the object goes.
@safe
public final class RelayTokenKeys: Sendable {
    private static let keyByteCount = SHA256.byteCount

    private let count: Int
    private let lifetimeSecondsMax: Int64?
    /// Written in `init` only.
    private nonisolated(unsafe) let keys: UnsafeMutableRawPointer

    /// - Parameters:
    ///   - secrets: one at least, none of them empty; the first signs.
    ///   - lifetimeSecondsMax: refuse tokens that are good for longer than so many seconds; nil: for any time.
    public init(secrets: [String], lifetimeSecondsMax: Int64? = nil) {
        precondition(!secrets.isEmpty && !secrets.contains(""), "without a secret anybody could sign")
        precondition(lifetimeSecondsMax ?? 1 > 0, "a token is good for some time")
        count = secrets.count
        self.lifetimeSecondsMax = lifetimeSecondsMax
        unsafe keys = .allocate(byteCount: secrets.count * RelayTokenKeys.keyByteCount, alignment: 16)
        for (index, secret) in secrets.enumerated() {
            let key = RelayTokenKeys.key(of: secret)
            unsafe key.bytes.withUnsafeBytes {
                // Each key has its own 32 bytes of those allocated.
                unsafe (keys + index * RelayTokenKeys.keyByteCount)
                    .copyMemory(from: $0.baseAddress.unsafelyUnwrapped, byteCount: RelayTokenKeys.keyByteCount)
            }
        }
    }

    deinit {
        unsafe OPENSSL_cleanse(keys, count * RelayTokenKeys.keyByteCount)
        unsafe keys.deallocate()
    }

    /// Whether a token is good now. It is examined in the order of the reference: form, signature, expiry. What that
    /// costs does not depend on what it says.
    ///
    /// - Parameter nowSeconds: since 1970.
    public func validate(_ token: RawSpan, at nowSeconds: Int64) throws(RelayTokenRefusal) -> RelayTokenClaim {
        let layout = try RelayToken(decoding: token)
        guard let signer = signer(of: token, layout) else { throw .badSignature }
        let expiry = try layout.expirySeconds(in: token)
        guard nowSeconds <= expiry else { throw .expired }
        // The difference of two times since 1970 that are in order may still be too large for 64 bits.
        let (lifetime, isTooLarge) = expiry.subtractingReportingOverflow(nowSeconds)
        if let lifetimeSecondsMax, isTooLarge || lifetime > lifetimeSecondsMax { throw .lifetimeTooLong }
        return RelayTokenClaim(expirySeconds: expiry, isCurrent: signer == 0)
    }

    /// A token of the current secret.
    ///
    /// - Parameter expirySeconds: since 1970, not before it.
    public func mint(expirySeconds: Int64) -> [UInt8] {
        precondition(expirySeconds >= 0, "a token does not expire before 1970")
        let digits = Array(String(expirySeconds).utf8)
        // Times of less than ten digits are refused as too short, though leading zeros are not.
        let padding = [UInt8](repeating: UInt8(ascii: "0"), count: max(0, RelayToken.expiryByteCountMin - digits.count))
        let expiry = padding + digits
        return [RelayToken.algorithm] + signature(of: expiry.span.octets, keyAt: 0) + expiry
    }

    /// Which key signed, after trying all of them: how long it takes tells nobody which.
    private func signer(of token: RawSpan, _ layout: RelayToken) -> Int? {
        var signer: Int?
        for index in 0..<count {
            let signature = signature(of: token.extracting(layout.expiry), keyAt: index)
            let isSigner = ConstantTime.isEqual(signature.span.octets, token.extracting(layout.signature))
            if isSigner, signer == nil { signer = index }
        }
        return signer
    }

    private func signature(of expiry: RawSpan, keyAt index: Int) -> [UInt8] {
        // Each key has its own 32 bytes, and they live as long as this object.
        let start = unsafe keys + index * RelayTokenKeys.keyByteCount
        let key = unsafe RawSpan(_unsafeStart: start, byteCount: RelayTokenKeys.keyByteCount)
        return HMACSHA256.authenticate(expiry, key: key)
    }

    private static func key(of secret: String) -> SecretKey32 {
        var accumulator = SHA256.Accumulator()
        let bytes = Array(secret.utf8)
        accumulator.update(bytes.span.octets)
        return accumulator.finishAsKey()
    }
}
