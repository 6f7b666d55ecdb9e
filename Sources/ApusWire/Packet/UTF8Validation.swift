// Is it UTF-8? A leaf: bytes in, an offset out (Unicode 15, table 3-7; RFC 3629 §4).

public enum UTF8Validation {
    /// Where the first ill-formed sequence starts, nil if there is none. Overlong forms, surrogates and code points
    /// above U+10FFFF are ill-formed, as is a sequence that the end cuts.
    @inlinable
    @inline(__always)
    public static func firstInvalidOffset(in bytes: RawSpan) -> Int? {
        var offset = 0
        while bytes.byteCount &- offset >= 64 {
            guard isASCII64(bytes, at: offset) else { return firstInvalidOffset(in: bytes, from: offset) }
            offset &+= 64
        }
        while offset < bytes.byteCount {
            let word = paddedWord(bytes, at: offset)
            guard word & highBits == 0 else { return firstInvalidOffset(in: bytes, from: offset) }
            offset += 8
        }
        return nil
    }

    /// Are the 64 bytes from `offset`, which the caller knows to be there, all ASCII?
    @inlinable
    @inline(__always)
    static func isASCII64(_ bytes: RawSpan, at offset: Int) -> Bool {
        var all: UInt64 = 0
        for word in 0..<8 {
            // The 64 bytes are within the span, and any eight of them are a valid UInt64.
            all |= unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset &+ 8 &* word, as: UInt64.self)
        }
        return all & highBits == 0
    }

    /// Set in every byte that is not ASCII.
    @inlinable static var highBits: UInt64 { 0x8080_8080_8080_8080 }

    /// Eight bytes from `offset`, the first in the lowest bits, zeros beyond the end: a zero is ASCII and continues no
    /// sequence, so neither a text's end nor a cut needs a case of its own.
    @inlinable
    @inline(__always)
    static func paddedWord(_ bytes: RawSpan, at offset: Int) -> UInt64 {
        let rest = bytes.byteCount - offset
        if rest >= 8 { return bytes.littleEndian64(at: offset) }
        guard bytes.byteCount >= 8 else { return shortWord(bytes, from: offset) }
        // Of the last eight bytes only `rest` (1 … 7) are wanted, so the shift is 8 … 56 and nothing here wraps.
        return bytes.littleEndian64(at: bytes.byteCount - 8) &>> UInt64(truncatingIfNeeded: 64 &- 8 &* rest)
    }

    /// The same for a text that has no eight bytes.
    @inline(never)
    @usableFromInline
    static func shortWord(_ bytes: RawSpan, from offset: Int) -> UInt64 {
        var word: UInt64 = 0
        for index in offset..<bytes.byteCount { word |= UInt64(bytes.byte(at: index)) << UInt64(8 * (index - offset)) }
        return word
    }

    /// The exact form, from a place where a sequence starts.
    @inline(never)
    @usableFromInline
    static func firstInvalidOffset(in bytes: RawSpan, from start: Int) -> Int? {
        var offset = start
        while offset < bytes.byteCount {
            let word = paddedWord(bytes, at: offset)
            let asciiCount = (word & highBits).trailingZeroBitCount / 8
            let length = asciiCount > 0 ? asciiCount : sequenceLength(UInt32(truncatingIfNeeded: word))
            guard length > 0 else { return offset }
            offset += length
        }
        return nil
    }

    /// Bytes of the sequence that these four start with (the lead lowest, not ASCII), 0 if it is ill-formed.
    ///
    ///      lead       second     third      fourth        and the bits that tell the shortest form
    ///     110x xxxx  10xx xxxx                            lead's 1E ≠ 0
    ///     1110 xxxx  10xx xxxx  10xx xxxx                 lead's 0F, second's 20: not 0, not D and 20 (surrogates)
    ///     1111 0xxx  10xx xxxx  10xx xxxx  10xx xxxx      lead's 07 and second's 30: 1 … 16, the plane
    static func sequenceLength(_ window: UInt32) -> Int {
        if window & 0xC0E0 == 0x80C0 {
            return window & 0x1E != 0 ? 2 : 0
        }
        if window & 0xC0_C0F0 == 0x80_80E0 {
            let shape = window & 0x200F
            return shape != 0 && shape != 0x200D ? 3 : 0
        }
        if window & 0xC0C0_C0F8 == 0x8080_80F0 {
            let plane = (window & 0x07) << 2 | (window >> 12) & 0x03
            return 1...16 ~= plane ? 4 : 0
        }
        return 0
    }
}
