// What a relayed datagram of the generator carries: its number, when it left, and bytes that tell whether it arrived
// whole. It must never know of frames or of connections.

import ApusReactor
import ApusWire

/// The message that one peer sends another, again and again, in memory of the peer's own. Only the number and the time
/// change from one to the next:
///
///      0         1         2                   38                  46                  54
///     +---------+---------+------ - - --------+-------------------+-------------------+------- - -
///     |  0x01   |  0x03   | peer id           | number, LE        | departure, LE, ns | pattern …
///     +---------+---------+------ - - --------+-------------------+-------------------+------- - -
///
/// The memory belongs to whoever made it and must outlive this; it has at least the 54 bytes that are read and written
/// at fixed places.
struct RelayDatagram: BitwiseCopyable {
    /// Number and departure.
    static let byteCountMin = 16
    private static let numberOffset = RelayFormat.transportHeaderByteCount
    private static let departureOffset = numberOffset + 8
    private static let patternOffset = departureOffset + 8

    let start: UnsafeMutableRawPointer
    /// Of the whole message.
    let byteCount: Int

    var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: byteCount) }

    /// - Parameter sender: its pattern differs from every other's near it.
    func fill(to target: PeerID, from sender: Int) {
        var output = OutputRawSpan(
            buffer: UnsafeMutableRawBufferPointer(start: start, count: byteCount), initializedCount: 0)
        RelayEncoder.writeTransportHeader(target, into: &output)
        for offset in output.byteCount..<byteCount { output.append(UInt8(truncatingIfNeeded: offset + 31 * sender)) }
        _ = output.finalize(for: UnsafeMutableRawBufferPointer(start: start, count: byteCount))
    }

    @inline(__always)
    func stamp(number: Int, departure: Instant) {
        start.storeBytes(of: UInt64(number).littleEndian, toByteOffset: RelayDatagram.numberOffset, as: UInt64.self)
        start.storeBytes(
            of: departure.nanoseconds.littleEndian, toByteOffset: RelayDatagram.departureOffset, as: UInt64.self)
    }

    /// Whether a message that arrived is one of these, but for the peer, the number and the departure.
    @inline(__always)
    func matches(_ message: UnsafeRawBufferPointer) -> Bool {
        guard message.count == byteCount, let other = message.baseAddress else { return false }
        let offset = RelayDatagram.patternOffset
        let count = byteCount - offset
        return agreeingByteCount(start + offset, other + offset, byteCount: count) == count
    }

    /// Of a message that matches.
    @inline(__always)
    static func number(in message: UnsafeRawBufferPointer) -> UInt64 {
        UInt64(littleEndian: message.loadUnaligned(fromByteOffset: numberOffset, as: UInt64.self))
    }

    @inline(__always)
    static func departure(in message: UnsafeRawBufferPointer) -> Instant {
        let nanoseconds = message.loadUnaligned(fromByteOffset: departureOffset, as: UInt64.self)
        return Instant(nanoseconds: UInt64(littleEndian: nanoseconds))
    }
}
