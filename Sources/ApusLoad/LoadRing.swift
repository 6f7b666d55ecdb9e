// How much a generator's ring reserves.

import ApusReactor

extension Ring {
    /// A ring for the calling thread.
    static func forLoad(connections: Int, burstByteCount: Int, tier: RingTier) throws(LoadError) -> Ring {
        do throws(RingUnavailable) {
            return try Ring(
                sizes: .forLoad(connections: connections, burstByteCount: burstByteCount), tier: tier,
                allowing: .connecting)
        } catch {
            throw .ring(error)
        }
    }
}

extension RingSizes {
    /// - Parameters:
    ///   - connections: each has a receive and a send under way.
    ///   - burstByteCount: what one of them may receive at a time; buffers of that size are little larger than needed,
    ///     so that those in use stay in the processor's cache.
    static func forLoad(connections: Int, burstByteCount: Int) -> RingSizes {
        var sizes = RingSizes()
        sizes.completions = UInt32(powerOfTwo(atLeast: 4 * connections, in: 4096...65536))
        sizes.buffers = UInt32(powerOfTwo(atLeast: 2 * connections, in: 64...1024))
        sizes.bufferByteCount = UInt32(powerOfTwo(atLeast: burstByteCount, in: 4096...65536))
        return sizes
    }

    /// - Parameter range: of powers of two.
    private static func powerOfTwo(atLeast count: Int, in range: ClosedRange<Int>) -> Int {
        var power = range.lowerBound
        while power < count, power < range.upperBound { power *= 2 }
        return power
    }
}
