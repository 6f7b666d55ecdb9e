// Comparison that takes the same time wherever the bytes differ.

import COpenSSL

public enum ConstantTime {
    /// Whether the bytes are the same. Lengths are no secret: different ones are told at once.
    public static func isEqual(_ left: RawSpan, _ right: RawSpan) -> Bool {
        guard left.byteCount == right.byteCount else { return false }
        return unsafe left.withUnsafeBytes { left in
            unsafe right.withUnsafeBytes { right in
                unsafe left.isEmpty || CRYPTO_memcmp(left.baseAddress, right.baseAddress, left.count) == 0
            }
        }
    }
}
