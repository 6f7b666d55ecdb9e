// Lists of records, linked both ways through numbers. Whose lists they are is their owners' to know.

/// A list is known by its first member, `nothing` when it is empty. The last links to the first again, so appending and
/// removing take the same time wherever a member stands. A number is in one list at a time.
struct Chains: ~Copyable {
    struct Link: BitwiseCopyable {
        var next: UInt32
        var previous: UInt32
    }

    private let links: Reserved<Link>

    init(capacity: Int) { links = Reserved(capacity: capacity) }

    static func byteCount(capacity: Int) -> Int { Reserved<Link>.byteCount(capacity: capacity) }

    /// Becomes the last.
    func append(_ number: UInt32, to first: inout UInt32) {
        guard first != .nothing else {
            links[number] = Link(next: number, previous: number)
            first = number
            return
        }
        let last = links[first].previous
        links[number] = Link(next: first, previous: last)
        links[last].next = number
        links[first].previous = number
    }

    /// - Parameter first: of the list that it is in; the next one takes its place.
    func remove(_ number: UInt32, from first: inout UInt32) {
        let link = links[number]
        guard link.next != number else { return first = .nothing }
        links[link.previous].next = link.next
        links[link.next].previous = link.previous
        if first == number { first = link.next }
    }

    /// Behind the last comes the first again.
    func next(after number: UInt32) -> UInt32 { links[number].next }

    /// The members in order. The list must not be changed meanwhile.
    func forEach(from first: UInt32, _ body: (UInt32) -> Void) {
        guard first != .nothing else { return }
        var number = first
        repeat {
            body(number)
            number = links[number].next
        } while number != first
    }
}
