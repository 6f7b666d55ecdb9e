// The connections of a shard, by slot. A slot's generation changes when it is freed; memory is touched when first used.

import ApusReactor

package struct Slab: ~Copyable {
    package let capacity: Int
    package private(set) var count = 0
    private let connections: UnsafeMutablePointer<Connection>
    private let generations: UnsafeMutablePointer<UInt32>
    private let occupied: UnsafeMutablePointer<Bool>
    private let freeSlots: UnsafeMutablePointer<UInt32>
    private var freeCount = 0
    /// Slots below have been used at least once.
    private var usedCount = 0

    package init(capacity: Int) {
        self.capacity = capacity
        connections = .allocate(capacity: capacity)
        generations = .allocate(capacity: capacity)
        occupied = .allocate(capacity: capacity)
        freeSlots = .allocate(capacity: capacity)
    }

    deinit {
        connections.deallocate()
        generations.deallocate()
        occupied.deallocate()
        freeSlots.deallocate()
    }

    /// Slots that were ever used; all occupied ones lie below.
    package var slotCount: Int { usedCount }

    /// A free slot with the generation its tenant must carry; nil when all are taken.
    mutating func allocate() -> (slot: UInt32, generation: UInt32)? {
        if freeCount > 0 {
            freeCount -= 1
            let slot = freeSlots[freeCount]
            return (slot, generations[Int(slot)])
        }
        guard usedCount < capacity else { return nil }
        let slot = UInt32(usedCount)
        usedCount += 1
        (generations + Int(slot)).initialize(to: 1)
        (occupied + Int(slot)).initialize(to: false)
        return (slot, 1)
    }

    /// An allocated slot that gets no tenant.
    mutating func giveBack(_ slot: UInt32) {
        freeSlots[freeCount] = slot
        freeCount += 1
    }

    mutating func occupy(_ slot: UInt32, with connection: Connection) {
        precondition(Int(slot) < usedCount && !occupied[Int(slot)])
        (connections + Int(slot)).initialize(to: connection)
        occupied[Int(slot)] = true
        count += 1
    }

    mutating func free(_ slot: UInt32) {
        precondition(isOccupied(slot))
        occupied[Int(slot)] = false
        count -= 1
        // Wraps at 24 bits: a completion would have to be 16 million tenants late to match.
        generations[Int(slot)] = (generations[Int(slot)] &+ 1) & Token.generationMask
        freeSlots[freeCount] = slot
        freeCount += 1
    }

    @inline(__always)
    package func isOccupied(_ slot: UInt32) -> Bool { Int(slot) < usedCount && occupied[Int(slot)] }

    /// The connection a token names, or nil when it is gone.
    @inline(__always)
    package func connection(_ slot: UInt32, generation: UInt32) -> UnsafeMutablePointer<Connection>? {
        guard Int(slot) < usedCount, occupied[Int(slot)] else { return nil }
        let connection = connections + Int(slot)
        return connection.pointee.generation == generation ? connection : nil
    }

    /// Where a connection of this slab lies: a pointer of another would give a slot that is none.
    func slot(of connection: UnsafeMutablePointer<Connection>) -> UInt32 {
        let slot = connection - connections
        precondition((0..<usedCount).contains(slot), "not a connection of this slab")
        return UInt32(slot)
    }

    /// An occupied slot's connection.
    @inline(__always)
    package subscript(slot: UInt32) -> UnsafeMutablePointer<Connection> {
        precondition(Int(slot) < usedCount && occupied[Int(slot)])
        return connections + Int(slot)
    }
}
