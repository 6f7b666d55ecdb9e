// What the tests compress, and the algorithms as functions from array to array.

import ApusCompression
import TestSupport

enum Samples {
    /// Records as services log them.
    static func json(byteCount: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: 1)
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            let (number, city) = (generator.next() % 100_000, ["Bern", "Basel", "Chur", "Genève"][bytes.count % 4])
            bytes += #"{"id":\#(number),"name":"sensor-\#(number % 97)","city":"\#(city)","ok":true},"#.utf8
        }
        return Array(bytes.prefix(byteCount))
    }

    /// Words in an order that repeats no sentence.
    static func english(byteCount: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: 2)
        let words = """
            the swift spends most of its life on the wing and sleeps while it is flying it feeds drinks and mates in \
            the air landing only to breed under roofs or in cliffs where it lays two or three eggs in early summer
            """.split(separator: " ")
        var bytes: [UInt8] = []
        while bytes.count < byteCount { bytes += (words.randomElement(using: &generator) ?? "").utf8 + [0x20] }
        return Array(bytes.prefix(byteCount))
    }

    static func random(byteCount: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: 3)
        return generator.bytes(byteCount)
    }

    /// 0…255 again and again: every byte as frequent as the others.
    static func counting(byteCount: Int) -> [UInt8] { (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) } }

    /// Random bytes, four for three: no repetitions, but only 64 values.
    static func base64(byteCount: Int) -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
        return random(byteCount: byteCount).map { alphabet[Int($0 & 63)] }
    }

    /// Pieces of any kind and length, one after another.
    static func mixture(byteCount: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            let count = Int.random(in: 1...5000, using: &generator)
            switch Int.random(in: 0...3, using: &generator) {
            case 0: bytes += generator.bytes(count)
            case 1: bytes += [UInt8](repeating: UInt8.random(in: 0...255, using: &generator), count: count)
            case 2: bytes += json(byteCount: count)
            default: bytes += bytes.suffix(count)
            }
            if bytes.isEmpty { bytes.append(0) }
        }
        return Array(bytes.prefix(byteCount))
    }
}

func compress(
    _ bytes: [UInt8], _ algorithm: CompressionAlgorithm, level: Int = 1
) throws(CompressionError) -> [UInt8] {
    try Compression.compress(bytes.span.bytes, with: algorithm, level: level)
}

func decompress(
    _ bytes: [UInt8], _ algorithm: CompressionAlgorithm, byteCountMax: Int = 16 << 20,
    ratioMax: Int = Compression.ratioLimit
) throws(CompressionError) -> [UInt8] {
    try Compression.decompress(bytes.span.bytes, with: algorithm, byteCountMax: byteCountMax, ratioMax: ratioMax)
}

/// The error that decompressing ends with; nil when it does not.
func refusal(
    of bytes: [UInt8], _ algorithm: CompressionAlgorithm, byteCountMax: Int = 16 << 20,
    ratioMax: Int = Compression.ratioLimit
) -> CompressionError? {
    do throws(CompressionError) {
        _ = try decompress(bytes, algorithm, byteCountMax: byteCountMax, ratioMax: ratioMax)
        return nil
    } catch {
        return error
    }
}

/// zstd frames written by hand (RFC 8878 §3.1).
enum Frame {
    static let magic: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD]

    /// A frame without a content size, with a window of 2^`windowLog` bytes.
    static func unsized(windowLog: Int = 20, blocks: [[UInt8]]) -> [UInt8] {
        magic + [0x00, UInt8(windowLog - 10) << 3] + blocks.joined()
    }

    /// A frame that announces its content size in eight bytes.
    static func sized(_ contentByteCount: UInt64, blocks: [[UInt8]]) -> [UInt8] {
        magic + [0xE0] + littleEndian(contentByteCount, 8) + blocks.joined()
    }

    /// A frame with its content size taken out of its header; what it is made of stays the same.
    static func withoutSize(_ frame: [UInt8]) -> [UInt8] {
        let (flag, isSingleSegment) = (Int(frame[4] >> 6), frame[4] & 0x20 != 0)
        let sizeByteCount = flag == 0 ? (isSingleSegment ? 1 : 0) : 1 << flag
        let headerByteCount = 5 + (isSingleSegment ? 0 : 1) + sizeByteCount
        return magic + [frame[4] & 0x04, 13 << 3] + frame.dropFirst(headerByteCount)
    }

    static func raw(_ bytes: [UInt8], isLast: Bool = true) -> [UInt8] {
        header(type: 0, size: bytes.count, isLast: isLast) + bytes
    }

    /// `count` times the same byte.
    static func repeated(_ byte: UInt8, count: Int, isLast: Bool = true) -> [UInt8] {
        header(type: 1, size: count, isLast: isLast) + [byte]
    }

    static func header(type: Int, size: Int, isLast: Bool) -> [UInt8] {
        littleEndian(UInt64((isLast ? 1 : 0) | type << 1 | size << 3), 3)
    }

    static func skippable(_ bytes: [UInt8], kind: UInt8 = 0) -> [UInt8] {
        [0x50 | kind, 0x2A, 0x4D, 0x18] + littleEndian(UInt64(bytes.count), 4) + bytes
    }

    static func littleEndian(_ value: UInt64, _ byteCount: Int) -> [UInt8] {
        (0..<byteCount).map { UInt8(truncatingIfNeeded: value >> (8 * UInt64($0))) }
    }
}
