// The rows of [handshake]; a listener may override each.

public enum HandshakeKeys {
    public static let presharedKeyFile = Key.optionalText(
        "handshake.psk_file", .file, .newConnections, traits: .init(flag: "--psk-file"),
        "A file with the pre-shared key, 16 random bytes or more; a final newline does not count. A peer without the "
            + "same is refused.")

    public static let presharedKey = Key.optionalText(
        "handshake.psk", .text(16...4096), .newConnections, traits: .init(isSecret: true),
        "The pre-shared key itself, for where secrets come as environment variables. A file is better: nothing else "
            + "can read it.")

    public static let identityFile = Key.optionalText(
        "handshake.identity_file", .file, .newConnections, traits: .init(flag: "--identity-file"),
        "A file with this side's Ed25519 identity, made by apus certs identity; it is shown to the peer.")

    public static let pins = Key.texts(
        "handshake.pinned_keys", .pin, .newConnections, traits: .init(flag: "--pin"),
        "The only Ed25519 public keys that peers may have.")

    public static let allowsV1 = Key.flag(
        "handshake.allow_v1", false, .newConnections, traits: .init(flag: "--allow-v1"),
        "In spite of a pre-shared key or pins, take peers of plain version 1, which prove nothing.")

    public static let compression = Key.texts(
        "handshake.compression", .choice(["lz4", "zstd"]), .newConnections, traits: .init(flag: "--compression"),
        "What payloads may be packed with, best first. transport.compression_enabled offers both.")

    static let all: [OptionRow] = [
        presharedKeyFile.option, presharedKey.option, identityFile.option, pins.option, allowsV1.option,
        compression.option,
    ]
}
