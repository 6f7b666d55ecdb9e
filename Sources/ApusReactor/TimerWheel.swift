// Deadlines by id, in a hierarchical wheel. It knows neither what an id stands for nor what o'clock it is.

/// Levels of 64 slots each; a slot of one level spans a whole turn of the level below. A timer lies on the level of
/// the highest six bits in which its tick differs from the wheel's, so it moves down at most once per level:
///
///     tick   47    42 41         12 11     6 5      0
///           +--------+-------------+--------+--------+
///     level |    7   |     ...     |    1   |    0   |
///           +--------+-------------+--------+--------+
///
/// Within a level every occupied slot lies ahead of the wheel's own and nearer than any slot of a higher level: the
/// first bit of the lowest level that has one is where the next deadline is. Slots are lists linked through the
/// timers, so nothing is allocated after `init`.
@safe
public struct TimerWheel: ~Copyable {
    private static let tick: Nanoseconds = .millisecond
    private static let slotBits = 6
    private static let slotCount = 1 << slotBits
    /// Eight levels reach 2^48 ms; an `Instant` ends before 2^45 ms, so every deadline has a place.
    private static let levelCount = 8
    private static let tickLast = Instant.never.nanoseconds / tick

    /// What one id reserves.
    package static var timerByteCount: Int { MemoryLayout<Timer>.stride }

    /// Ids are `0 ..< capacity`.
    public let capacity: Int
    /// The tick up to which slots have been emptied.
    private var currentTick: UInt64
    /// A bit per slot that is not empty.
    private var occupied = InlineArray<8, UInt64>(repeating: 0)
    /// The first timer of each slot, level by level; id + 1, zero for none.
    private let heads: UnsafeMutablePointer<UInt32>
    @usableFromInline let timers: UnsafeMutablePointer<Timer>
    private let memory: ReservedMemory

    /// Zeroed memory is a timer that is not scheduled. Links are id + 1, zero for none.
    @usableFromInline
    struct Timer: BitwiseCopyable {
        @usableFromInline var deadline: Instant
        var next: UInt32
        var previous: UInt32
        @usableFromInline var place: Place
    }

    /// One slot of one level, as a number from one; zero is nowhere.
    @usableFromInline
    struct Place: Equatable, BitwiseCopyable {
        @usableFromInline let number: UInt16

        @inlinable static var nowhere: Place { Place(number: 0) }

        @inlinable init(number: UInt16) { self.number = number }
        init(level: Int, slot: Int) { number = UInt16(truncatingIfNeeded: level << slotBits | slot) + 1 }

        var index: Int { Int(number) - 1 }
        var level: Int { index >> slotBits }
        var slot: Int { index & (slotCount - 1) }
    }

    /// Ids that are never scheduled cost no memory, only address space.
    public init(capacity: Int, at now: Instant) throws(SystemError) {
        precondition(capacity >= 0 && capacity < UInt32.max, "links are 32 bits wide")
        self.capacity = capacity
        currentTick = now.nanoseconds / TimerWheel.tick
        let headCount = TimerWheel.levelCount * TimerWheel.slotCount
        let headsByteCount = headCount * MemoryLayout<UInt32>.stride
        memory = try ReservedMemory(
            byteCount: headsByteCount + capacity * MemoryLayout<Timer>.stride, for: "\(capacity) timers")
        unsafe heads = memory.start.bindMemory(to: UInt32.self, capacity: headCount)
        unsafe timers = (memory.start + headsByteCount).bindMemory(to: Timer.self, capacity: capacity)
    }

    /// Replaces the deadline that `id` may have had; `.never` cancels.
    public mutating func schedule(_ id: UInt32, at deadline: Instant) {
        guard deadline != .never else { return cancel(id) }
        let timer = unsafe self.timer(id)
        let place = self.place(of: deadline)
        if unsafe timer.pointee.place != place {
            unlink(id)
            link(id, at: place)
        }
        unsafe timer.pointee.deadline = deadline
    }

    /// No effect on an id that is not scheduled.
    public mutating func cancel(_ id: UInt32) { unlink(id) }

    /// `.never` for an id that is not scheduled.
    @inlinable
    public func deadline(of id: UInt32) -> Instant {
        let timer = unsafe self.timer(id)
        return unsafe timer.pointee.place.number == 0 ? .never : timer.pointee.deadline
    }

    /// When to look again: not later than the first deadline rounded up to its tick, and possibly earlier, because a
    /// slot of a higher level tells only its beginning. `.never` when nothing is scheduled.
    public var earliest: Instant {
        guard let place = firstOccupied else { return .never }
        return Instant(nanoseconds: start(of: place) * TimerWheel.tick)
    }

    /// A timer whose deadline has passed, no longer scheduled; nil when there is none. It is never early, and late by
    /// less than a tick. Timers of one tick come in no particular order.
    public mutating func popExpired(at now: Instant) -> UInt32? {
        let tick = now.nanoseconds / TimerWheel.tick
        while let place = firstOccupied {
            let start = start(of: place)
            guard start <= tick else { break }
            currentTick = start
            guard place.level > 0 else { return popFirst(of: place) }
            spread(place)
        }
        // No slot begins before this tick, so the wheel passes none by.
        currentTick = max(currentTick, tick)
        return nil
    }
}

// MARK: Places

extension TimerWheel {
    @inline(__always)
    private func place(of deadline: Instant) -> Place {
        let (whole, rest) = deadline.nanoseconds.quotientAndRemainder(dividingBy: TimerWheel.tick)
        // Rounded up, so that nothing is early; what is overdue already belongs to the present tick.
        let tick = max(min(whole + (rest > 0 ? 1 : 0), TimerWheel.tickLast), currentTick)
        let difference = tick ^ currentTick
        let highestBit = UInt64.bitWidth - 1 - (difference | 1).leadingZeroBitCount
        let level = highestBit / TimerWheel.slotBits
        let slot = Int(truncatingIfNeeded: tick >> UInt64(level * TimerWheel.slotBits)) & (TimerWheel.slotCount - 1)
        return Place(level: level, slot: slot)
    }

    private var firstOccupied: Place? {
        for level in 0..<TimerWheel.levelCount where occupied[level] != 0 {
            return Place(level: level, slot: occupied[level].trailingZeroBitCount)
        }
        return nil
    }

    /// The first tick of an occupied slot: the wheel's own, with this level's digit replaced and the lower ones zero.
    private func start(of place: Place) -> UInt64 {
        let shift = UInt64(place.level * TimerWheel.slotBits)
        let turn = currentTick >> shift & ~UInt64(TimerWheel.slotCount - 1)
        return (turn | UInt64(place.slot)) << shift
    }

    /// The timers of a slot that has become the wheel's own move to lower levels.
    private mutating func spread(_ place: Place) {
        let head = unsafe heads + place.index
        while unsafe head.pointee != 0 {
            let id = unsafe head.pointee - 1
            let deadline = unsafe timers[Int(id)].deadline
            unlink(id)
            link(id, at: self.place(of: deadline))
        }
    }
}

// MARK: Lists

extension TimerWheel {
    @inlinable
    func timer(_ id: UInt32) -> UnsafeMutablePointer<Timer> {
        precondition(id < capacity, "no such timer")
        return unsafe timers + Int(id)
    }

    /// Every link was written by `link`, so it names a timer below `capacity`.
    @inline(__always)
    private func neighbour(_ link: UInt32) -> UnsafeMutablePointer<Timer> { unsafe timers + Int(link - 1) }

    private mutating func link(_ id: UInt32, at place: Place) {
        let timer = unsafe self.timer(id)
        let head = unsafe heads + place.index
        unsafe timer.pointee.place = place
        unsafe timer.pointee.previous = 0
        unsafe timer.pointee.next = head.pointee
        if unsafe head.pointee != 0 { unsafe neighbour(head.pointee).pointee.previous = id + 1 }
        unsafe head.pointee = id + 1
        occupied[place.level] |= 1 << UInt64(place.slot)
    }

    private mutating func unlink(_ id: UInt32) {
        let timer = unsafe self.timer(id)
        let (place, next, previous) = unsafe (timer.pointee.place, timer.pointee.next, timer.pointee.previous)
        guard place != .nowhere else { return }
        unsafe timer.pointee.place = .nowhere
        if next != 0 { unsafe neighbour(next).pointee.previous = previous }
        if previous != 0 {
            unsafe neighbour(previous).pointee.next = next
            return
        }
        unsafe heads[place.index] = next
        if next == 0 { occupied[place.level] &= ~(1 << UInt64(place.slot)) }
    }

    /// `place` is occupied.
    private mutating func popFirst(of place: Place) -> UInt32 {
        let id = unsafe heads[place.index] - 1
        unlink(id)
        return id
    }
}
