// Where PEM text comes from. What it holds may be a private key, so it never prints itself.

/// A file, read by OpenSSL when it is needed, or bytes that the caller has read.
///
/// A private key had better be a file: its bytes then never pass through memory that nobody wipes.
public struct PEMSource: Sendable {
    enum Place {
        case file(String)
        case bytes([UInt8])
    }

    let place: Place
    /// Appears in errors: the path, or what the caller calls the bytes.
    public let name: String

    public static func file(_ path: String) -> PEMSource { PEMSource(place: .file(path), name: path) }

    public static func bytes(_ bytes: [UInt8], name: String = "given bytes") -> PEMSource {
        PEMSource(place: .bytes(bytes), name: name)
    }
}

extension PEMSource: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String { "PEM (\(name))" }

    public var debugDescription: String { description }

    public var customMirror: Mirror { Mirror(self, children: ["name": name]) }
}
