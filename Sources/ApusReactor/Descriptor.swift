// A kernel file descriptor, as a number with a name. It owns nothing: whoever opened it closes it.

package struct Descriptor: Equatable, BitwiseCopyable, Sendable {
    package let number: Int32

    @inline(__always)
    package init(_ number: Int32) { self.number = number }
}
