// A kernel file descriptor, as a number with a name. It owns nothing: whoever opened it closes it.

public struct Descriptor: Equatable, BitwiseCopyable, Sendable {
    public let number: Int32

    @inlinable
    public init(_ number: Int32) { self.number = number }
}
