// Why bytes were not compressed or decompressed: what was found, and which limit it met.

public enum CompressionError: Error, Equatable, Sendable {
    /// The algorithm has no such level.
    case level(Int, CompressionAlgorithm)
    /// More than can be compressed at once.
    case tooLong(byteCount: Int, limit: Int)
    /// The input ends before what it announces.
    case truncated(CompressionAlgorithm)
    /// The input is not what the algorithm writes.
    case corrupt(CompressionAlgorithm)
    /// The checksum of a zstd frame is not that of its content.
    case checksum
    /// No zstd frame starts at this byte of the input.
    case notAFrame(offset: Int)
    /// A zstd frame wants a dictionary; there is none.
    case dictionary(UInt32)
    /// A zstd frame wants a larger window.
    case window(byteCount: Int, limit: Int)
    /// The input cannot hold as much as it announces, however well it were compressed.
    case impossible(announced: UInt64, possible: Int)
    /// The block of an lz4 input holds less than its prefix announces.
    case shorter(announced: Int, found: Int)
    /// More output than is allowed; nil when the input did not announce how much.
    case oversize(byteCount: UInt64?, limit: Int)
    /// The input grows more than is allowed; nil when it did not announce how much.
    case ratio(byteCount: UInt64?, sourceByteCount: Int, limit: Int)
}

extension CompressionError {
    /// A word for a counter's label; there are no others.
    public var label: StaticString {
        switch self {
        case .level: "level"
        case .tooLong: "too_long"
        case .truncated: "truncated"
        case .corrupt: "corrupt"
        case .checksum: "checksum"
        case .notAFrame: "not_a_frame"
        case .dictionary: "dictionary"
        case .window: "window"
        case .impossible: "impossible"
        case .shorter: "shorter"
        case .oversize: "oversize"
        case .ratio: "ratio"
        }
    }
}

extension CompressionError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .level(let level, let algorithm):
            "\(algorithm) has no level \(level): choose \(algorithm.levels.lowerBound) to "
                + "\(algorithm.levels.upperBound)"
        case .tooLong(let byteCount, let limit):
            "\(byteCount) bytes are more than can be compressed at once, which is \(limit): cut them into pieces"
        case .oversize(let byteCount, let limit):
            "the input \(announcing(byteCount)), the limit is \(limit): send smaller messages"
        case .ratio(let byteCount, let sourceByteCount, let limit):
            "the input of \(sourceByteCount) bytes \(announcing(byteCount)), at most \(limit) times as many are "
                + "allowed: it is either a bomb or better sent as it is"
        case .truncated, .corrupt, .checksum, .notAFrame, .dictionary, .window, .impossible, .shorter: fault
        }
    }

    /// What is wrong with the input itself.
    private var fault: String {
        switch self {
        case .truncated(let algorithm): "the \(algorithm) input ends in the middle: a part of it was lost"
        case .corrupt(let algorithm): "the input is not \(algorithm): it was damaged, or compressed otherwise"
        case .checksum: "the checksum of a zstd frame is not that of its content: it was damaged"
        case .notAFrame(let offset): "no zstd frame starts at byte \(offset): the input was compressed otherwise"
        case .dictionary(let number): "a zstd frame was compressed with dictionary \(number): compress without one"
        case .window(let byteCount, let limit):
            "a zstd frame wants a window of \(byteCount) bytes, the limit is \(limit): compress with level 19 or lower"
        case .impossible(let announced, let possible):
            "the input announces \(announced) bytes, as long as it is it can hold at most \(possible)"
        case .shorter(let announced, let found): "the input announces \(announced) bytes and holds \(found)"
        case .level, .tooLong, .oversize, .ratio: preconditionFailure("not a fault of the input")
        }
    }

    private func announcing(_ byteCount: UInt64?) -> String {
        byteCount.map { "decompresses to \($0) bytes" } ?? "decompresses to more than is allowed"
    }
}
