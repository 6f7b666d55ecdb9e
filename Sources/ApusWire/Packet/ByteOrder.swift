// Integers of either byte order, and runs of bytes, out of and into spans: all that the codec reads or writes in raw
// memory. Every function checks its bounds.

extension RawSpan {
    @inlinable
    func byte(at offset: Int) -> UInt8 {
        // Any byte is a valid UInt8, and the load checks its bounds.
        unsafe unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }

    @inlinable
    func littleEndian32(at offset: Int) -> UInt32 {
        // Any four bytes are a valid UInt32, and the load checks its bounds.
        UInt32(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inlinable
    func littleEndian64(at offset: Int) -> UInt64 {
        // Any eight bytes are a valid UInt64, and the load checks its bounds.
        UInt64(littleEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    @inlinable
    func bigEndian16(at offset: Int) -> UInt16 {
        // Any two bytes are a valid UInt16, and the load checks its bounds.
        UInt16(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    @inlinable
    func bigEndian32(at offset: Int) -> UInt32 {
        // Any four bytes are a valid UInt32, and the load checks its bounds.
        UInt32(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }

    @inlinable
    func bigEndian64(at offset: Int) -> UInt64 {
        // Any eight bytes are a valid UInt64, and the load checks its bounds.
        UInt64(bigEndian: unsafe unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self))
    }

    /// The bytes in an array of their own, for what outlives the span.
    public func copyBytes() -> [UInt8] {
        // The buffer is read inside the closure only.
        unsafe withUnsafeBytes { unsafe Array($0) }
    }
}

extension Span<UInt8> {
    /// The same bytes, untyped.
    var octets: RawSpan {
        // A UInt8 has no padding that could be uninitialised.
        @_lifetime(copy self) get { unsafe bytes }
    }
}

extension OutputRawSpan {
    @_lifetime(self: copy self)
    @inlinable
    mutating func append(littleEndian value: UInt32) {
        append(storing: value.littleEndian)
    }

    @_lifetime(self: copy self)
    @inlinable
    mutating func append(littleEndian value: UInt64) {
        append(storing: value.littleEndian)
    }

    @_lifetime(self: copy self)
    @inlinable
    mutating func append(bigEndian value: UInt16) {
        append(storing: value.bigEndian)
    }

    @_lifetime(self: copy self)
    @inlinable
    mutating func append(bigEndian value: UInt32) {
        append(storing: value.bigEndian)
    }

    @_lifetime(self: copy self)
    @inlinable
    mutating func append(bigEndian value: UInt64) {
        append(storing: value.bigEndian)
    }

    /// The value's bytes as they lie in memory, at any alignment.
    @_lifetime(self: copy self)
    @inlinable
    mutating func append<Value: FixedWidthInteger & BitwiseCopyable>(storing value: Value) {
        precondition(MemoryLayout<Value>.size <= freeCapacity, "the output has no room")
        unsafe withUnsafeMutableBytes { buffer, count in
            // The room was checked above, and `storeBytes` needs no alignment.
            unsafe buffer.baseAddress.unsafelyUnwrapped.storeBytes(of: value, toByteOffset: count, as: Value.self)
            count &+= MemoryLayout<Value>.size  // at most the capacity, as checked
        }
    }

    /// All bytes of `source`, in one copy. The two must not overlap; there must be room for them.
    @_lifetime(self: copy self)
    @inlinable
    public mutating func append(copying source: RawSpan) {
        precondition(source.byteCount <= freeCapacity, "the output has no room")
        guard !source.isEmpty else { return }
        unsafe withUnsafeMutableBytes { buffer, count in
            unsafe source.withUnsafeBytes { bytes in
                // Neither side is empty, so both have a base address; the room was checked above.
                unsafe (buffer.baseAddress.unsafelyUnwrapped + count)
                    .copyMemory(from: bytes.baseAddress.unsafelyUnwrapped, byteCount: bytes.count)
            }
            count &+= source.byteCount  // at most the capacity, as checked
        }
    }

    /// There must be room for it.
    @_lifetime(self: copy self)
    mutating func append(text: StaticString) {
        text.withUTF8Buffer { characters in
            // They live as long as the program.
            append(copying: unsafe characters.span.octets)
        }
    }
}
