// Each violation at the exact byte, and the limits from both sides.

import ApusWire
import Testing

struct PacketDecoderTests {
    static let limit = PacketFormat.payloadByteCountMax

    @Test(arguments: 0..<4) func wrongMagicIsRefusedAtItsByte(offset: Int) {
        for found in UInt8.min...UInt8.max where found != header(length: 0)[offset] {
            var bytes = header(length: 4)
            bytes[offset] = found
            let expected = PacketStep.violation(.magic(offset: offset, found: found))
            for count in offset + 1...bytes.count { #expect(step(Array(bytes[..<count])) == expected) }
            #expect(step(Array(bytes[..<offset])) == .incomplete(byteCountNeeded: 9))
        }
    }

    @Test func wrongVersionIsRefusedAtItsByte() {
        for version in UInt8.min...UInt8.max where version != 1 {
            var bytes = header(length: 4)
            bytes[4] = version
            for count in 5...bytes.count { #expect(step(Array(bytes[..<count])) == .violation(.version(version))) }
            #expect(step(Array(bytes[..<4])) == .incomplete(byteCountNeeded: 9))
        }
    }

    @Test func theFirstWrongByteIsTheOneReported() {
        #expect(step(Array("GET / HTTP/1.1\r\n".utf8)) == .violation(.magic(offset: 0, found: 0x47)))
        #expect(step(Array("NPRX".utf8) + [9]) == .violation(.magic(offset: 3, found: 0x58)))
        #expect(step(Array("NPRO".utf8) + [2, 255, 255, 255, 255]) == .violation(.version(2)))
    }

    @Test(arguments: [UInt32.max, 0x8000_0000, 0x0100_0001])
    func oversizeIsRefusedAtByteNine(length: UInt32) {
        let expected = PacketStep.violation(.oversize(byteCount: length, limit: Self.limit))
        #expect(step(header(length: length)) == expected)
        #expect(step(header(length: length) + [0]) == expected)
        for count in 0..<9 { #expect(step(Array(header(length: length)[..<count])) == .incomplete(byteCountNeeded: 9)) }
    }

    @Test func exactlySixteenMebibytesAreAccepted() {
        let packet = header(length: UInt32(Self.limit)) + [UInt8](repeating: 7, count: Self.limit)
        #expect(step(Array(packet[..<9])) == .incomplete(byteCountNeeded: 9 + Self.limit))
        #expect(step(packet) == .packet(payload: 9..<9 + Self.limit))
        #expect(step(packet.dropLast()) == .incomplete(byteCountNeeded: 9 + Self.limit))
    }

    @Test func aSmallerLimitIsInclusiveToo() {
        let decoder = PacketDecoder(payloadByteCountMax: 10)
        let fits = header(length: 10) + [UInt8](repeating: 0, count: 10)
        #expect(decoder.step(fits.span.bytes, at: 0) == .packet(payload: 9..<19))
        let exceeds = header(length: 11)
        #expect(decoder.step(exceeds.span.bytes, at: 0) == .violation(.oversize(byteCount: 11, limit: 10)))
    }

    @Test func aPayloadOfZeroBytesIsAPacket() {
        #expect(step(header(length: 0)) == .packet(payload: 9..<9))
        #expect(step(header(length: 0) + [1]) == .packet(payload: 9..<9))
    }

    @Test func offsetsCountFromTheStartOfTheBytes() {
        let bytes = [0xFF, 0xFF, 0xFF] + header(length: 2) + [1, 2] + header(length: 0) + [0x4E, 0x51]
        #expect(step(bytes, at: 3) == .packet(payload: 12..<14))
        #expect(step(bytes, at: 14) == .packet(payload: 23..<23))
        #expect(step(bytes, at: 23) == .violation(.magic(offset: 1, found: 0x51)))
        #expect(step(bytes, at: 25) == .incomplete(byteCountNeeded: 9))
    }

    @Test func incompleteCountsFromThePacketsFirstByte() {
        let bytes = [0, 0] + header(length: 100) + [1]
        #expect(step(bytes, at: 2) == .incomplete(byteCountNeeded: 109))
    }

    @Test func wholeBufferMustBeExactlyOnePacket() throws {
        let packet = header(length: 2) + [1, 2]
        #expect(try PacketDecoder().decodeWhole(packet.span.bytes) == 9..<11)
        #expect(throws: PacketFormatError.byteCount(needed: 11, found: 12)) {
            let long = packet + [3]
            _ = try PacketDecoder().decodeWhole(long.span.bytes)
        }
        #expect(throws: PacketFormatError.byteCount(needed: 11, found: 10)) {
            let short = Array(packet.dropLast())
            _ = try PacketDecoder().decodeWhole(short.span.bytes)
        }
        #expect(throws: PacketFormatError.byteCount(needed: 9, found: 0)) {
            _ = try PacketDecoder().decodeWhole(RawSpan())
        }
        #expect(throws: PacketFormatError.violation(.version(3))) {
            let wrong = Array("NPRO".utf8) + [3]
            _ = try PacketDecoder().decodeWhole(wrong.span.bytes)
        }
    }

    @Test func anOffsetOutsideTheBytesStopsTheProgram() async {
        let behind = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = step([1, 2, 3], at: 4)
        }
        let before = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
            _ = step([1, 2, 3], at: -1)
        }
        for result in [behind, before] { expect(result, says: "a packet starts within the bytes") }
        await #expect(processExitsWith: .failure) {
            _ = PacketDecoder(payloadByteCountMax: PacketFormat.payloadByteCountMax + 1)
        }
    }

    @Test func violationsSayWhatAndWhere() {
        #expect("\(PacketViolation.magic(offset: 2, found: 0x0A))".contains("byte 2 of the packet is 0x0A, not 0x52"))
        #expect("\(PacketViolation.version(2))".contains("announces version 2, this side speaks version 1"))
        #expect("\(PacketViolation.oversize(byteCount: 99, limit: 98))".contains("99 bytes, the limit is 98"))
    }
}
