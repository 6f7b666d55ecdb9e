// Bytes nobody can guess, from OpenSSL's generator, which the kernel seeds. It is safe on every thread.

import COpenSSL

/// If there is no randomness the program stops: keys made without it would be everybody's.
public enum SecureRandom {
    public static func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        let result = unsafe RAND_priv_bytes_ex(nil, start.assumingMemoryBound(to: UInt8.self), bytes.count, 0)
        precondition(result == 1, "the system gives no randomness: nothing can be secured")
    }

    public static func fill(_ bytes: inout MutableRawSpan) {
        unsafe bytes.withUnsafeMutableBytes { unsafe fill($0) }
    }

    public static func bytes(_ count: Int) -> [UInt8] {
        unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            unsafe fill(UnsafeMutableRawBufferPointer(buffer))
            initialized = count
        }
    }
}
