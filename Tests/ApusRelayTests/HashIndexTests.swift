// The index and the lists beneath the tables, against plain models.

import TestSupport
import Testing

@testable import ApusRelay

struct HashIndexTests {
    /// All that the index has for a hash.
    private func found(_ index: borrowing HashIndex, _ hash: UInt32) -> Set<UInt32> {
        var (numbers, number) = (Set<UInt32>(), index.first(hash))
        while number != .nothing {
            numbers.insert(number)
            number = index.next(after: number)
        }
        return numbers
    }

    /// - Parameter hashBound: small, so that many have the same.
    @Test(arguments: [1, 3, 50, 1 << 31])
    func itFindsWhatAModelFinds(hashBound: Int) {
        var generator = SeededGenerator.announced()
        let capacity = 500
        var index = HashIndex(capacity: capacity)
        var model: [UInt32: UInt32] = [:]
        for step in 0..<6000 {
            let number = UInt32(generator.below(capacity))
            // First it fills, then it empties, then both.
            if let hash = model[number] {
                guard step > 2000 || generator.once(in: 10) else { continue }
                index.remove(number)
                model[number] = nil
                #expect(found(index, hash).contains(number) == false)
            } else if !(2000..<4000).contains(step) {
                let hash = UInt32(generator.below(hashBound))
                index.insert(number, hash)
                model[number] = hash
            }
            guard step % 50 == 0 else { continue }
            for hash in Set(model.values) {
                #expect(found(index, hash) == Set(model.filter { $0.value == hash }.keys), "step \(step)")
            }
        }
    }

    @Test func aFullIndexFindsEverybody() {
        let capacity = 10_000
        var index = HashIndex(capacity: capacity)
        let hash = { (number: UInt32) in number &* 0x9E37_79B1 }  // wraps: any spread will do
        for number in 0..<UInt32(capacity) { index.insert(number, hash(number)) }
        for number in 0..<UInt32(capacity) { #expect(found(index, hash(number)) == [number]) }
        for number in 0..<UInt32(capacity) { index.remove(number) }
        for number in 0..<UInt32(capacity) { #expect(index.first(hash(number)) == .nothing) }
    }
}

struct ChainsTests {
    private func members(_ chains: borrowing Chains, _ first: UInt32) -> [UInt32] {
        var members: [UInt32] = []
        chains.forEach(from: first) { members.append($0) }
        return members
    }

    @Test func listsKeepTheirOrder() {
        var generator = SeededGenerator.announced()
        let (capacity, listCount) = (40, 3)
        let chains = Chains(capacity: capacity)
        var firsts = [UInt32](repeating: .nothing, count: listCount)
        var model = [[UInt32]](repeating: [], count: listCount)
        for _ in 0..<5000 {
            let (number, list) = (UInt32(generator.below(capacity)), generator.below(listCount))
            if let holder = model.firstIndex(where: { $0.contains(number) }) {
                chains.remove(number, from: &firsts[holder])
                model[holder].removeAll { $0 == number }
            } else {
                chains.append(number, to: &firsts[list])
                model[list].append(number)
            }
            #expect(firsts.map { members(chains, $0) } == model)
        }
    }
}

struct NumbersTests {
    @Test func eachIsTakenOnce() {
        var generator = SeededGenerator.announced()
        var numbers = Numbers(capacity: 20)
        var taken: Set<UInt32> = []
        for _ in 0..<2000 {
            if generator.once(in: 2), let number = taken.randomElement(using: &generator) {
                numbers.give(number)
                taken.remove(number)
            } else if let number = numbers.take() {
                #expect(number < 20 && taken.insert(number).inserted)
            } else {
                #expect(taken.count == 20)
            }
            #expect(numbers.takenCount == taken.count && numbers.freeCount == 20 - taken.count)
        }
    }
}
