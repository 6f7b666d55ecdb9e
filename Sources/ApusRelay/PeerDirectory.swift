// Where each peer is, as one shard knows it: every shard has a copy, so that forwarding a message asks nobody. Whether
// that is so is the registry's to know, at the peer's home.

import ApusWire

/// Who holds an id, and since which claim.
public struct PeerPlace: Equatable, BitwiseCopyable, Sendable {
    /// A connection token's bits.
    public let holder: UInt64
    /// Of the claim, as the id's home numbered it.
    public let epoch: UInt64

    @inlinable
    public init(holder: UInt64, epoch: UInt64) {
        self.holder = holder
        self.epoch = epoch
    }
}

public enum PlaceOutcome: Equatable, BitwiseCopyable, Sendable {
    case new
    /// Who held it before.
    case replaced(PeerPlace)
    /// Of an earlier claim than the one known, or of the same; nothing has changed.
    case stale
    /// No room; the id is not found here.
    case full
}

/// A table with open addressing, at most half full; what is removed leaves no trace, since those behind move up. A cell
/// points to the peer and holds half of its hash, so that only the peer looked for is touched:
///
///      63                            32 31                             0
///     +--------------------------------+--------------------------------+
///     | lower half of the id's hash    | number of the peer + 1         |     0: empty
///     +--------------------------------+--------------------------------+
///
/// Memory: 16 to 32 bytes of cells for each peer that may be there, and 60 bytes for each that is.
public struct PeerDirectory: ~Copyable {
    @usableFromInline
    struct Peer: BitwiseCopyable {
        @usableFromInline let id: PeerID
        @usableFromInline var place: PeerPlace
    }

    @usableFromInline let hash: PeerHash
    @usableFromInline let cells: Reserved<UInt64>
    /// The count of cells, a power of two, less one.
    @usableFromInline let mask: Int
    @usableFromInline let peers: Reserved<Peer>
    private var numbers: Numbers

    /// - Parameters:
    ///   - capacity: peers at once, 1 to 2^30.
    ///   - seed: nobody outside may know it.
    public init(capacity: Int, seed: UInt64) {
        precondition(1...1 << 30 ~= capacity, "a directory has room for 1 … 2^30 peers")
        let cellCount = PeerDirectory.cellCount(capacity: capacity)
        hash = PeerHash(seed: seed)
        cells = Reserved(repeating: 0, count: cellCount)
        mask = cellCount - 1
        peers = Reserved(capacity: capacity)
        numbers = Numbers(capacity: capacity)
    }

    /// What a directory for so many reserves; the peers' part of it is touched as they come.
    public static func memoryByteCount(capacity: Int) -> Int {
        Reserved<UInt64>.byteCount(capacity: cellCount(capacity: capacity))
            + Reserved<Peer>.byteCount(capacity: capacity) + Numbers.byteCount(capacity: capacity)
    }

    /// The power of two that is at least twice as much.
    private static func cellCount(capacity: Int) -> Int {
        1 << (Int.bitWidth - (2 * capacity - 1).leadingZeroBitCount)
    }

    public var count: Int { numbers.takenCount }

    /// Nil: nobody holds it.
    @inlinable
    public func find(_ id: PeerID) -> PeerPlace? {
        let content = cells[cell(of: id)]
        return content == 0 ? nil : peers[number(in: content)].place
    }

    /// Somebody holds an id from now on, as its home says.
    public mutating func place(_ id: PeerID, holder: UInt64, epoch: UInt64) -> PlaceOutcome {
        let cell = cell(of: id)
        guard cells[cell] == 0 else { return replace(number(in: cells[cell]), PeerPlace(holder: holder, epoch: epoch)) }
        guard let number = numbers.take() else { return .full }
        peers[number] = Peer(id: id, place: PeerPlace(holder: holder, epoch: epoch))
        cells[cell] = UInt64(tag(of: id)) << 32 | UInt64(number + 1)
        return .new
    }

    /// Nobody holds an id any more, as its home says.
    ///
    /// - Parameter epoch: of the claim that has ended. A later one stays.
    /// - Returns: whether it was there and is gone.
    public mutating func remove(_ id: PeerID, epoch: UInt64) -> Bool {
        let cell = cell(of: id)
        guard cells[cell] != 0 else { return false }
        let number = number(in: cells[cell])
        guard peers[number].place.epoch <= epoch else { return false }
        numbers.give(number)
        vacate(cell)
        return true
    }

    private func replace(_ number: UInt32, _ place: PeerPlace) -> PlaceOutcome {
        let before = peers[number].place
        guard place.epoch > before.epoch else { return .stale }
        peers[number].place = place
        return .replaced(before)
    }
}

// MARK: Cells

extension PeerDirectory {
    @inlinable
    func tag(of id: PeerID) -> UInt32 { UInt32(truncatingIfNeeded: hash.hash(id)) }

    @inlinable
    func number(in content: UInt64) -> UInt32 {
        UInt32(truncatingIfNeeded: content) &- 1  // the cell is not empty, so it is above zero
    }

    /// The cell that points to the id, or the empty one where it would be. There is one, for half of them are empty.
    @inlinable
    func cell(of id: PeerID) -> Int {
        let tag = tag(of: id)
        var cell = Int(tag) & mask
        while true {
            let content = cells[cell]
            if content == 0 { return cell }
            if content >> 32 == UInt64(tag), peers[number(in: content)].id == id { return cell }
            cell = (cell + 1) & mask
        }
    }

    /// Each of those behind moves into the hole that is not before the cell where its search begins.
    private func vacate(_ cell: Int) {
        var (hole, next) = (cell, (cell + 1) & mask)
        while cells[next] != 0 {
            let begin = Int(cells[next] >> 32) & mask
            if (next - begin) & mask >= (next - hole) & mask {
                cells[hole] = cells[next]
                hole = next
            }
            next = (next + 1) & mask
        }
        cells[hole] = 0
    }
}
