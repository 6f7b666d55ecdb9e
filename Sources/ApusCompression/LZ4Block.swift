// lz4's part: a size of four little-endian bytes and one raw block (NPRO §4). It knows nothing of who asks or why.

import CCompression

enum LZ4Block {
    static let prefixByteCount = 4

    /// A block's length extensions add 255 bytes of output for one of input, and nothing in the format adds more.
    static let expansionMax = 255

    /// - Parameter byteCount: at most lz4's limit, which is below that of its int.
    static func byteCountBound(of byteCount: Int) -> Int {
        prefixByteCount + Int(LZ4_compressBound(CInt(byteCount)))
    }

    /// The size that the prefix announces, if the block can hold as much.
    static func announcedByteCount(of source: RawSpan) throws(CompressionError) -> Int {
        guard source.byteCount >= prefixByteCount else { throw .truncated(.lz4) }
        let announced = source.littleEndian(at: 0, byteCount: prefixByteCount)
        let possible = (source.byteCount - prefixByteCount) * expansionMax
        guard announced <= possible else { throw .impossible(announced: announced, possible: possible) }
        return Int(announced)
    }

    /// - Parameter target: as long as the prefix announces.
    @unsafe
    static func decompress(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int {
        let block = unsafe UnsafeRawBufferPointer(rebasing: source[prefixByteCount...])
        guard block.count <= CInt.max, target.count <= CInt.max else { throw .corrupt(.lz4) }
        let written = unsafe LZ4_decompress_safe(
            block.baseAddress?.assumingMemoryBound(to: CChar.self),
            target.baseAddress?.assumingMemoryBound(to: CChar.self), CInt(block.count), CInt(target.count))
        guard written >= 0 else { throw .corrupt(.lz4) }
        guard written == target.count else { throw .shorter(announced: target.count, found: Int(written)) }
        return target.count
    }
}

/// The tables of the compressor: 16 KiB for the fast mode, 256 KiB for the other. Used by one thread.
@safe
struct LZ4State: ~Copyable {
    /// Levels from here on use the high-compression mode.
    private static let highCompressionLevel: CInt = 3

    let memoryByteCount: Int
    private let level: CInt
    private let memory: UnsafeMutableRawPointer

    init(level: Int) {
        self.level = CInt(level)
        memoryByteCount = Int(level < LZ4State.highCompressionLevel ? LZ4_sizeofState() : LZ4_sizeofStateHC())
        unsafe memory = .allocate(byteCount: memoryByteCount, alignment: MemoryLayout<UInt64>.alignment)
    }

    deinit { unsafe memory.deallocate() }

    /// - Returns: how many bytes were written; nil when `target` is too small for them.
    @unsafe
    func compress(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        guard target.count > LZ4Block.prefixByteCount else { return nil }
        unsafe target.storeBytes(of: UInt32(source.count).littleEndian, as: UInt32.self)
        let block = unsafe UnsafeMutableRawBufferPointer(rebasing: target[LZ4Block.prefixByteCount...])
        let written = unsafe compressBlock(source, into: block)
        return written > 0 ? LZ4Block.prefixByteCount + Int(written) : nil
    }

    /// - Returns: 0 when `block` is too small.
    @unsafe
    private func compressBlock(
        _ source: UnsafeRawBufferPointer, into block: UnsafeMutableRawBufferPointer
    ) -> CInt {
        // A capacity beyond the largest block changes nothing, and fits lz4's int.
        let capacity = CInt(min(block.count, Int(LZ4_compressBound(CInt(source.count)))))
        let bytes = unsafe source.baseAddress?.assumingMemoryBound(to: CChar.self)
        let output = unsafe block.baseAddress?.assumingMemoryBound(to: CChar.self)
        if level < LZ4State.highCompressionLevel {
            return unsafe LZ4_compress_fast_extState(memory, bytes, output, CInt(source.count), capacity, 1)
        }
        return unsafe LZ4_compress_HC_extStateHC(memory, bytes, output, CInt(source.count), capacity, level)
    }
}

extension RawSpan {
    /// An integer of 0 to 8 little-endian bytes.
    func littleEndian(at offset: Int, byteCount: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<byteCount {
            // Any byte is a valid UInt8, and the load checks its bounds.
            value |= UInt64(unsafe unsafeLoad(fromByteOffset: offset + index, as: UInt8.self)) << UInt64(8 * index)
        }
        return value
    }
}
