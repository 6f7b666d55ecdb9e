// 32 secret bytes in one place: moving the value moves a pointer, so that no copy stays behind, and they are wiped when
// the value ends. It has no description on purpose.

import COpenSSL

/// A key or secret of 32 bytes.
@safe
public struct SecretKey32: ~Copyable {
    public static let byteCount = 32

    let start: UnsafeMutableRawPointer

    /// Zeros, to be overwritten at once.
    init() {
        unsafe start = .allocate(byteCount: SecretKey32.byteCount, alignment: 16)
        unsafe start.initializeMemory(as: UInt8.self, repeating: 0, count: SecretKey32.byteCount)
    }

    /// - Parameter bytes: exactly 32; the caller's copy is the caller's to wipe.
    public init(copying bytes: RawSpan) {
        precondition(bytes.byteCount == SecretKey32.byteCount, "a key has exactly 32 bytes")
        self.init()
        unsafe bytes.withUnsafeBytes { source in
            unsafe UnsafeMutableRawBufferPointer(start: start, count: SecretKey32.byteCount).copyMemory(from: source)
        }
    }

    /// 32 bytes nobody can guess.
    public static func random() -> SecretKey32 {
        let key = SecretKey32()
        unsafe SecureRandom.fill(UnsafeMutableRawBufferPointer(start: key.start, count: byteCount))
        return key
    }

    deinit {
        unsafe OPENSSL_cleanse(start, SecretKey32.byteCount)
        unsafe start.deallocate()
    }

    /// Whether all of it is zero, in constant time.
    var isZero: Bool {
        let zeros: [32 of UInt8] = .init(repeating: 0)
        return ConstantTime.isEqual(bytes, zeros.span.octets)
    }

    /// In constant time.
    func isSame(as other: borrowing SecretKey32) -> Bool { ConstantTime.isEqual(bytes, other.bytes) }

    /// The bytes, lent. A copy of them is not wiped.
    public var bytes: RawSpan {
        @_lifetime(borrow self) get {
            // The memory lives as long as this value.
            let span = unsafe RawSpan(_unsafeStart: start, byteCount: SecretKey32.byteCount)
            return unsafe _overrideLifetime(span, borrowing: self)
        }
    }
}
