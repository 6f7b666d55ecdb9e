// The rows of [transport]: what travels, for servers and clients.

public enum TransportKeys {
    public static let encryptionEnabled = Key.flag(
        "transport.encryption_enabled", true, .newConnections,
        "What a packet listener, or a client verb, without a security of its own has: handshake if true, none if "
            + "false.")

    public static let compressionEnabled = Key.flag(
        "transport.compression_enabled", false, .newConnections,
        "Offer compression in NPRO's handshake: lz4 and zstd, unless handshake.compression names others.")

    public static let compressionLevel = Key.integer(
        "transport.compression_level", 3, in: 1...22, .newConnections,
        "1 is fast, 19 small; more counts as 19. lz4 has 9 levels and takes a higher one as 9.")

    public static let compressionThreshold = Key.byteCount(
        "transport.compression_threshold_bytes", 512, in: 0...(16 << 20), .newConnections,
        "Shorter payloads go as they are.")

    public static let maxPayloadSize = Key.byteCount(
        "transport.max_payload_size", 16 << 20, in: 1...(16 << 20), .newConnections,
        traits: .init(flag: "--max-payload-size"),
        "The longest payload that a peer may announce; a longer one ends the connection. NPRO allows 16MiB at most.")

    static let all: [OptionRow] = [
        encryptionEnabled.option, compressionEnabled.option, compressionLevel.option, compressionThreshold.option,
        maxPayloadSize.option,
    ]
}
