// What relay and management share, wherever it is named: the relay, the generator and those who make tokens take and
// refuse the same. It signs nothing.

import ApusConfiguration

/// 1 to 4,096 bytes of UTF-8 text, as management servers have it.
struct RelaySecret {
    private static let shape = "a secret is \(RelayKeys.secretByteCounts.lowerBound) to "
        + "\(RelayKeys.secretByteCounts.upperBound) bytes of UTF-8 text"

    let text: String

    /// - Parameter flag: what named it.
    /// - Throws: `Failure`, an invalid configuration.
    init(_ text: String, from flag: String) throws {
        guard RelayKeys.secretByteCounts.contains(text.utf8.count) else {
            throw Failure(.invalidConfiguration, "apus: \(flag): \(RelaySecret.shape)")
        }
        self.text = text
    }

    init(file path: String) throws(SecretFileError) {
        let bytes = try SecretFile.read(path)
        guard let text = String(validating: bytes, as: UTF8.self),
            RelayKeys.secretByteCounts.contains(bytes.count)
        else { throw SecretFileError(path, RelaySecret.shape) }
        self.text = text
    }

    /// - Parameter flag: what named the file.
    /// - Throws: `Failure`, an invalid configuration.
    init(file path: String, from flag: String) throws {
        self = try SecretFile.named(flag, { path throws(SecretFileError) in try RelaySecret(file: path) }, path)
    }
}
