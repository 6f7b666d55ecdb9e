// libFuzzer driver for decompression: what comes out stays within the limits and within what the headers promised, is
// the same every time, and comes back when it is compressed again.

import ApusCompression
import FuzzSupport

@main
struct FuzzDecompress {
    static func main() {
        runFuzzer { start, count in
            fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
            return 0
        }
    }
}

/// An input is one byte, and then what is decompressed. Bit 0 chooses zstd, bit 1 a low ratio, bit 2 a short output,
/// bit 3 that the rest is a payload to be compressed instead.
func fuzz(_ input: [UInt8]) {
    guard let first = input.first else { return }
    let algorithm: CompressionAlgorithm = first & 1 == 0 ? .lz4 : .zstd
    let rest = Array(input.dropFirst())
    if first & 8 != 0 { return checkRoundTrip(rest, algorithm, level: 1 + Int(first >> 4) % 9) }
    let limits = Limits(byteCountMax: first & 4 == 0 ? 1 << 20 : 100, ratioMax: first & 2 == 0 ? 1 << 20 : 10)
    guard let output = decompress(rest, algorithm, limits) else { return }
    require(output.count <= limits.byteCountMax, "longer than the limit")
    require(output.count <= limits.ratioMax * rest.count, "grown beyond the ratio")
    checkRoundTrip(output, algorithm, level: 1)
}

struct Limits {
    let byteCountMax: Int
    let ratioMax: Int
}

/// Nil: refused. With a buffer that is exactly as long as the headers ask for, and in one go.
func decompress(_ bytes: [UInt8], _ algorithm: CompressionAlgorithm, _ limits: Limits) -> [UInt8]? {
    let atOnce = decompressAtOnce(bytes, algorithm, limits)
    var decompressor = Decompressor(algorithm, byteCountMax: limits.byteCountMax, ratioMax: limits.ratioMax)
    do throws(CompressionError) {
        let bound = try decompressor.byteCountBound(of: bytes.span.bytes)
        // A buffer of its own: the sanitizer sees what is written behind it.
        let target = UnsafeMutableRawBufferPointer.allocate(byteCount: bound, alignment: 1)
        defer { target.deallocate() }
        let count = try decompressor.decompress(bytes.span.bytes, into: target)
        require(count <= bound, "longer than its bound")
        require(atOnce == Array(target.prefix(count)), "in one go it decompresses otherwise")
    } catch {
        require(!error.description.isEmpty, "an error without a sentence")
        require(atOnce == nil, "in one go it is accepted")
    }
    return atOnce
}

func decompressAtOnce(_ bytes: [UInt8], _ algorithm: CompressionAlgorithm, _ limits: Limits) -> [UInt8]? {
    do throws(CompressionError) {
        return try Compression.decompress(
            bytes.span.bytes, with: algorithm, byteCountMax: limits.byteCountMax, ratioMax: limits.ratioMax)
    } catch {
        return nil
    }
}

func checkRoundTrip(_ plain: [UInt8], _ algorithm: CompressionAlgorithm, level: Int) {
    let isWorthTrying = Compression.isWorthTrying(plain.span.bytes, with: algorithm)
    require(!isWorthTrying || plain.count >= 64, "too short to be worth it")
    do throws(CompressionError) {
        let compressed = try Compression.compress(plain.span.bytes, with: algorithm, level: level)
        require(compressed.count <= Compressor.byteCountBound(of: plain.count, with: algorithm), "beyond the bound")
        let limits = Limits(byteCountMax: plain.count, ratioMax: Compression.ratioLimit)
        require(decompressAtOnce(compressed, algorithm, limits) == plain, "it does not come back")
    } catch {
        require(false, "what is to be compressed is refused: \(error)")
    }
}
