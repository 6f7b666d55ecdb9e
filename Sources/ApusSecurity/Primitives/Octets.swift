// Bytes between arrays, spans and C: the few steps the compiler cannot check, once each.

extension Span<UInt8> {
    /// The same bytes, untyped.
    var octets: RawSpan {
        // A UInt8 has no padding that could be uninitialised.
        @_lifetime(copy self) get { unsafe bytes }
    }
}

extension [UInt8] {
    /// `count` bytes, all of which `fill` writes.
    init(count: Int, filledBy fill: (UnsafeMutablePointer<UInt8>) -> Void) {
        precondition(count > 0, "there is nothing to fill")
        unsafe self.init(unsafeUninitializedCapacity: count) { buffer, initialized in
            unsafe fill(buffer.baseAddress.unsafelyUnwrapped)  // the capacity is above zero
            initialized = count
        }
    }
}
