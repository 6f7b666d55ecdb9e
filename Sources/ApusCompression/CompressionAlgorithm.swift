// The algorithms and what they are called: on the wire by a number, among people by a name.

/// A way to compress a payload (NPRO §4). The raw value is its code in the handshake extension and in front of a
/// sealed payload; 0 there means "as it is".
public enum CompressionAlgorithm: UInt8, Sendable, CaseIterable {
    /// The size as four little-endian bytes, then one raw LZ4 block: what lz4_flex's `compress_prepend_size` writes.
    case lz4 = 1
    /// Zstandard frames (RFC 8878), without a dictionary.
    case zstd = 2
}

extension CompressionAlgorithm {
    /// The levels it has, from fast to small. lz4: 1 and 2 are the fast mode, 3…9 the high-compression one; 10…12
    /// exist too but allocate at every call. zstd: 20…22 exist too but need windows that a peer may refuse.
    public var levels: ClosedRange<Int> {
        switch self {
        case .lz4: 1...9
        case .zstd: 1...19
        }
    }
}

extension CompressionAlgorithm: CustomStringConvertible {
    public var description: String {
        switch self {
        case .lz4: "lz4"
        case .zstd: "zstd"
        }
    }
}
