// SHA-256 (FIPS 180-4).

import COpenSSL

public enum SHA256 {
    public static let byteCount = 32

    /// The digest, 32 bytes.
    public static func hash(_ bytes: RawSpan) -> [UInt8] {
        var accumulator = Accumulator()
        accumulator.update(bytes)
        return accumulator.finish()
    }

    /// A digest over several runs of bytes, without putting them into one.
    @safe
    public struct Accumulator: ~Copyable {
        private let context: OpaquePointer

        public init() {
            unsafe context = Algorithms.made(EVP_MD_CTX_new())
            unsafe Algorithms.require(EVP_DigestInit_ex2(context, Algorithms.sha256, nil))
        }

        deinit { unsafe EVP_MD_CTX_free(context) }

        public mutating func update(_ bytes: RawSpan) {
            unsafe bytes.withUnsafeBytes { bytes in
                unsafe Algorithms.require(EVP_DigestUpdate(context, bytes.baseAddress, bytes.count))
            }
        }

        /// The digest, 32 bytes.
        public consuming func finish() -> [UInt8] {
            unsafe [UInt8](count: SHA256.byteCount) { unsafe finish(into: $0) }
        }

        /// The digest as a key.
        public consuming func finishAsKey() -> SecretKey32 {
            let key = SecretKey32()
            unsafe finish(into: key.start.assumingMemoryBound(to: UInt8.self))
            return key
        }

        /// - Parameter target: room for 32 bytes.
        private borrowing func finish(into target: UnsafeMutablePointer<UInt8>) {
            unsafe Algorithms.require(EVP_DigestFinal_ex(context, target, nil))
        }
    }
}
