// zstd's contexts, built in memory whose size is computed before it is taken: no call allocates. Used by one thread.

import CCompression

/// The largest alignment that zstd's tables ask for.
private let contextAlignment = 64

/// Compresses one payload after another, each to one frame that announces its size and has no checksum: what carries
/// it is authenticated, or has its own.
@safe
struct ZstdCompressionContext: ~Copyable {
    let memoryByteCount: Int
    private let level: CInt
    private let memory: UnsafeMutableRawPointer
    private let context: OpaquePointer

    /// - Parameter byteCountMax: of one payload; short ones need smaller tables.
    init(level: Int, byteCountMax: Int) {
        memoryByteCount = ZstdCompressionContext.memoryByteCount(level: level, byteCountMax: byteCountMax)
        self.level = CInt(level)
        unsafe memory = .allocate(byteCount: memoryByteCount, alignment: contextAlignment)
        guard let context = unsafe ZSTD_initStaticCCtx(memory, memoryByteCount) else {
            preconditionFailure("zstd refuses the memory that it asked for")
        }
        unsafe self.context = context
    }

    deinit { unsafe memory.deallocate() }

    static func byteCountBound(of byteCount: Int) -> Int { ZSTD_compressBound(byteCount) }

    /// zstd has one set of parameters for each of four ranges of sizes; within one, the largest payload needs most.
    static func memoryByteCount(level: Int, byteCountMax: Int) -> Int {
        let rangeEnds = [16 << 10, 128 << 10, 256 << 10, byteCountMax]
        let needed = rangeEnds.map { end in
            // A size of 0 would stand for an unknown one.
            let byteCount = UInt64(max(1, min(end, byteCountMax)))
            return ZSTD_estimateCCtxSize_usingCParams(ZSTD_getCParams(CInt(level), byteCount, 0))
        }
        return needed.reduce(0, max)
    }

    /// - Returns: how many bytes were written; nil when `target` is too small for them.
    @unsafe
    func compress(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) -> Int? {
        let result = unsafe ZSTD_compressCCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count, level)
        guard ZSTD_isError(result) == 0 else {
            // Whatever else it might be, a payload can always be sent as it is.
            assert(ZSTD_getErrorCode(result) == ZSTD_error_dstSize_tooSmall, "zstd fails with sound parameters")
            return nil
        }
        return result
    }
}

/// Decompresses whole payloads into a buffer that holds all of the output and so is zstd's window as well.
@safe
struct ZstdDecompressionContext: ~Copyable {
    let memoryByteCount: Int
    private let memory: UnsafeMutableRawPointer
    private let context: OpaquePointer

    init() {
        memoryByteCount = ZSTD_estimateDCtxSize()
        unsafe memory = .allocate(byteCount: memoryByteCount, alignment: contextAlignment)
        guard let context = unsafe ZSTD_initStaticDCtx(memory, memoryByteCount) else {
            preconditionFailure("zstd refuses the memory that it asked for")
        }
        unsafe self.context = context
    }

    deinit { unsafe memory.deallocate() }

    /// - Returns: how many bytes were written; nil when `target` is too small for them.
    @unsafe
    func decompress(
        _ source: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> Int? {
        let result = unsafe ZSTD_decompressDCtx(
            context, target.baseAddress, target.count, source.baseAddress, source.count)
        guard ZSTD_isError(result) != 0 else { return result }
        switch ZSTD_getErrorCode(result) {
        case ZSTD_error_dstSize_tooSmall: return nil
        case ZSTD_error_checksum_wrong: throw .checksum
        default: throw .corrupt(.zstd)
        }
    }
}
