// How far two runs of bytes agree. A leaf: every reply's every byte passes here, so it looks at 64 of them at a time.

/// The count of bytes before the first that differs; `byteCount` when none does. Both sides must have that many: every
/// load lies below it.
@inline(__always)
func agreeingByteCount(_ left: UnsafeRawPointer, _ right: UnsafeRawPointer, byteCount: Int) -> Int {
    var offset = 0
    while offset + 64 <= byteCount {
        var difference: UInt64 = 0
        for word in 0..<8 {
            let place = offset + word * 8
            difference |= left.loadUnaligned(fromByteOffset: place, as: UInt64.self)
                ^ right.loadUnaligned(fromByteOffset: place, as: UInt64.self)
        }
        guard difference == 0 else { break }
        offset += 64
    }
    return agreeingByteCount(left, right, from: offset, byteCount: byteCount)
}

/// The rest of the above: words while they are equal, then bytes.
@inline(__always)
private func agreeingByteCount(
    _ left: UnsafeRawPointer, _ right: UnsafeRawPointer, from start: Int, byteCount: Int
) -> Int {
    var offset = start
    while offset + 8 <= byteCount {
        let difference = left.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
            ^ right.loadUnaligned(fromByteOffset: offset, as: UInt64.self).littleEndian
        // The first byte is the lowest one.
        guard difference == 0 else { return offset + difference.trailingZeroBitCount / 8 }
        offset += 8
    }
    while offset < byteCount, left.load(fromByteOffset: offset, as: UInt8.self)
        == right.load(fromByteOffset: offset, as: UInt8.self)
    {
        offset += 1
    }
    return offset
}
