// What every message of the relay protocol starts with (relay.md §1.1).

/// The two bytes in front of every message.
struct RelayHeader {
    let type: RelayMessageType

    /// - Parameter isKnown: whether this side receives messages of a type.
    init(_ message: RawSpan, _ isKnown: (RelayMessageType) -> Bool) throws(RelayViolation) {
        guard !message.isEmpty else { throw .empty }
        guard message.byteCount >= RelayFormat.headerByteCount else { throw .tooShort }
        let (version, number) = (message.byte(at: 0), message.byte(at: 1))
        guard version == RelayFormat.version else { throw .version(version) }
        guard let type = RelayMessageType(rawValue: number), isKnown(type) else { throw .type(number) }
        self.type = type
    }
}
