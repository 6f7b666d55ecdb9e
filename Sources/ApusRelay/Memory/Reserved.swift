// Room for values of one kind, reserved at start. All that this module holds lies in such rooms: nothing grows.

/// Memory becomes resident when it is first written, so a limit costs nothing until it is used. What was never written
/// must not be read.
@safe
@usableFromInline
struct Reserved<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline let capacity: Int
    @usableFromInline let start: UnsafeMutablePointer<Element>

    @usableFromInline
    init(capacity: Int) {
        precondition(0..<Int(UInt32.max) ~= capacity, "numbers have 32 bits")
        self.capacity = capacity
        unsafe start = .allocate(capacity: capacity)
    }

    /// The same, all of it written, hence resident.
    @usableFromInline
    init(repeating element: Element, count: Int) {
        self.init(capacity: count)
        unsafe start.initialize(repeating: element, count: count)
    }

    deinit { unsafe start.deallocate() }

    static func byteCount(capacity: Int) -> Int { capacity * MemoryLayout<Element>.stride }

    @inlinable
    subscript(index: Int) -> Element {
        get {
            precondition(0..<capacity ~= index, "no such place")
            return unsafe start[index]
        }
        nonmutating _modify {
            // Elements are plain bits, so that what is written first and what is written again are the same.
            precondition(0..<capacity ~= index, "no such place")
            yield unsafe &start[index]
        }
    }

    @inlinable
    subscript(number: UInt32) -> Element {
        get { self[Int(number)] }
        nonmutating _modify { yield &self[Int(number)] }
    }
}

extension UInt32 {
    /// Where a number stands for a record, this one stands for none.
    @inlinable static var nothing: UInt32 { .max }
}
