// A new masking key for every frame, from bytes that nobody can foresee (RFC 6455 §5.3). It must never give the same
// bytes twice.

import ApusSecurity

/// Drawing random bytes one frame at a time would cost more than the frame; a pool is drawn at once.
struct MaskingKeys: ~Copyable {
    private static let poolByteCount = 4096

    // Allocated here and freed in `deinit`; `taken` stays within it.
    private let pool = UnsafeMutableRawBufferPointer.allocate(byteCount: poolByteCount, alignment: 64)
    private var taken = poolByteCount

    deinit { pool.deallocate() }

    @inline(__always)
    mutating func next() -> UInt32 {
        if taken == MaskingKeys.poolByteCount { refill() }
        let key = pool.load(fromByteOffset: taken, as: UInt32.self)
        taken += MemoryLayout<UInt32>.size
        return key
    }

    @inline(never)
    private mutating func refill() {
        SecureRandom.fill(pool)
        taken = 0
    }
}
