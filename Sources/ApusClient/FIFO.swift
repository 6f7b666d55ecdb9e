// A queue in an array: what was taken from the front is dropped in bulk, so that taking costs the same however many
// wait.

struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { count == 0 }
    /// Nil when empty.
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = elements[head]
        // Let go now: what it holds should not live until the next compaction.
        elements[head] = nil
        head += 1
        if head == elements.count {
            elements.removeAll(keepingCapacity: head <= 64)
            head = 0
        } else if head > 64, head > elements.count / 2 {
            elements.removeFirst(head)
            head = 0
        }
        return element
    }

    /// Every element, oldest first; the queue is empty afterwards.
    mutating func popAll() -> [Element] { popAll { _ in true } }

    /// Every element that matches, oldest first.
    mutating func popAll(where matches: (Element) -> Bool) -> [Element] {
        let popped = all.filter(matches)
        (elements, head) = (all.filter { !matches($0) }, 0)
        return popped
    }

    /// What waits, oldest first.
    var all: [Element] { elements[head...].compactMap { $0 } }

    /// The first element that matches, taken out of the middle.
    mutating func pop(where matches: (Element) -> Bool) -> Element? {
        guard let index = elements[head...].firstIndex(where: { $0.map(matches) ?? false }) else { return nil }
        if index == head { return popFirst() }
        return elements.remove(at: index)
    }

    /// Change every element in place, oldest first.
    mutating func updateAll(_ change: (inout Element) -> Void) {
        for index in elements.indices.dropFirst(head) {
            guard var element = elements[index] else { continue }
            change(&element)
            elements[index] = element
        }
    }
}
