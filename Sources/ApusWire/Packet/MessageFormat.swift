// The sizes of the message layout (NPRO §1.2, §1.3): little-endian numbers of fixed width, no padding.

/// One message, the payload of a packet. Every message starts with its discriminant; a string or byte run is its length
/// and then its bytes:
///
///      0               4                               12
///     +---------------+-------------------------------+----------- - -
///     | discriminant  |  length of the text, u64 LE   |  UTF-8 …                             Echo
///     |    u32 LE     |                               |
///     +---------------+-------------------------------+----------- - -
///
///      0               4                               12            12 + n                  20 + n
///     +---------------+-------------------------------+------ - - --+-----------------------+------ - -
///     | discriminant  |  length n of the command, u64 |  UTF-8 …    |  length, u64 LE       | bytes …   Custom
///     +---------------+-------------------------------+------ - - --+-----------------------+------ - -
///
///      0               4               36              44              60
///     +---------------+---------------+---------------+---------------+
///     | discriminant  | public key    | timestamp, u64| nonce         |                       HandshakeInit
///     +---------------+---------------+---------------+---------------+
///
///      0               4               36              52              84
///     +---------------+---------------+---------------+---------------+
///     | discriminant  | public key    | nonce         | verification  |                       HandshakeResponse
///     +---------------+---------------+---------------+---------------+
///
///      0               4               36
///     +---------------+---------------+
///     | discriminant  | verification  |                                                       HandshakeConfirm
///     +---------------+---------------+
///
/// Ping, Pong, Disconnect and Unknown are the discriminant alone. Bytes after the value are ignored (NPRO §1.2).
public enum MessageFormat {
    public static let discriminantByteCount = 4
    /// Of the length in front of a string or a byte run.
    public static let lengthByteCount = 8
    /// An X25519 public key.
    public static let publicKeyByteCount = 32
    /// Milliseconds since 1970-01-01T00:00:00Z, u64 LE.
    public static let timestampByteCount = 8
    public static let nonceByteCount = 16
    /// SHA-256 of the other side's nonce.
    public static let verificationByteCount = 32
}
