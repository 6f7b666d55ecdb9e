// Masking and unmasking, which are the same (RFC 6455 §5.3): each byte is combined with one of the key's four. It must
// never know of frames.

public enum WebSocketMask {
    /// Mask or unmask in place.
    ///
    /// - Parameters:
    ///   - key: as it lies in memory, the first byte lowest.
    ///   - phase: bytes of the same payload that lie before these: the key goes on from there.
    @inlinable
    public static func apply(_ key: UInt32, to bytes: inout MutableRawSpan, phase: Int = 0) {
        guard key != 0, !bytes.isEmpty else { return }
        unsafe bytes.withUnsafeMutableBytes { bytes in
            // Not empty, so there is a base address; reading and writing the same place is what `combine` allows.
            let start = unsafe bytes.baseAddress.unsafelyUnwrapped
            unsafe combine(UnsafeRawPointer(start), into: start, byteCount: bytes.count, rotated(key, by: phase))
        }
    }

    /// Copy `source`, masked or unmasked, behind what `output` has: one pass. There must be room for it, and the two
    /// must not overlap.
    ///
    /// - Parameters:
    ///   - key: as it lies in memory, the first byte lowest; 0 copies.
    ///   - phase: bytes of the same payload that lie before these.
    @_lifetime(output: copy output)
    @inlinable
    public static func append(
        _ source: RawSpan, unmaskedWith key: UInt32, phase: Int = 0, to output: inout OutputRawSpan
    ) {
        guard key != 0 else { return output.append(copying: source) }
        precondition(source.byteCount <= output.freeCapacity, "the output has no room")
        guard !source.isEmpty else { return }
        unsafe output.withUnsafeMutableBytes { buffer, count in
            unsafe source.withUnsafeBytes { bytes in
                // Neither side is empty, so both have a base address; the room was checked above.
                let target = unsafe buffer.baseAddress.unsafelyUnwrapped + count
                let start = unsafe bytes.baseAddress.unsafelyUnwrapped
                unsafe combine(start, into: target, byteCount: bytes.count, rotated(key, by: phase))
            }
            count &+= source.byteCount  // at most the capacity, as checked
        }
    }

    /// The key that the byte behind `phase` others starts with.
    @inlinable
    static func rotated(_ key: UInt32, by phase: Int) -> UInt32 {
        let bitCount = UInt32(truncatingIfNeeded: phase & 3) &* 8  // 0 … 24
        return key &>> bitCount | key &<< (32 &- bitCount)  // a shift by 32 is one by 0, which changes nothing here
    }

    /// Each byte of `source` with its byte of the key: 64 and 16 at a time, the last 15 by eight, four and one. Steps
    /// of four leave the key where it was. `target` is `source` itself or does not overlap it: what is written is never
    /// read again.
    @inlinable
    static func combine(
        _ source: UnsafeRawPointer, into target: UnsafeMutableRawPointer, byteCount: Int, _ key: UInt32
    ) {
        let wide = SIMD4<UInt32>(repeating: key.littleEndian)
        var offset = 0
        // Every offset is within `byteCount`, which is within both sides; no sum passes it.
        while byteCount &- offset >= 64 {
            for lane in 0..<4 { unsafe combine(source, target, at: offset &+ 16 &* lane, wide) }
            offset &+= 64
        }
        while byteCount &- offset >= 16 {
            unsafe combine(source, target, at: offset, wide)
            offset &+= 16
        }
        if byteCount &- offset >= 8 {
            unsafe combine(source, target, at: offset, UInt64(key) << 32 | UInt64(key))
            offset &+= 8
        }
        if byteCount &- offset >= 4 {
            unsafe combine(source, target, at: offset, key)
            offset &+= 4
        }
        var rest = key
        while offset < byteCount {
            unsafe combine(source, target, at: offset, UInt8(truncatingIfNeeded: rest))
            rest &>>= 8
            offset &+= 1
        }
    }

    @inlinable
    @inline(__always)
    static func combine(
        _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, at offset: Int, _ key: SIMD4<UInt32>
    ) {
        // So many bytes are there, as the caller knows, and any of them are a vector; neither side has to be aligned.
        let bytes = unsafe source.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt32>.self)
        unsafe target.storeBytes(of: bytes ^ key, toByteOffset: offset, as: SIMD4<UInt32>.self)
    }

    /// - Parameter key: the first byte lowest, whatever the machine's order.
    @inlinable
    @inline(__always)
    static func combine<Word: FixedWidthInteger & BitwiseCopyable>(
        _ source: UnsafeRawPointer, _ target: UnsafeMutableRawPointer, at offset: Int, _ key: Word
    ) {
        // As above, with any bytes being an integer.
        let bytes = unsafe source.loadUnaligned(fromByteOffset: offset, as: Word.self)
        unsafe target.storeBytes(of: bytes ^ key.littleEndian, toByteOffset: offset, as: Word.self)
    }
}
