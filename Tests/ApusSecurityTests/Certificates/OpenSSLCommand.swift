// The `openssl` command, another pair of eyes on what was made.

import ApusSecurity
import Foundation
import TestSupport
import Testing

enum OpenSSLCommand {
    private static let path = "/usr/bin/openssl"

    /// False, with the reason printed, when it is not installed.
    static let isThere: Bool = {
        if FileManager.default.isExecutableFile(atPath: path) { return true }
        print("left out: certificates against the openssl command, since there is no \(path)")
        return false
    }()

    /// What it says on either stream, and its exit code.
    static func run(_ arguments: String...) throws -> (status: Int32, text: String) {
        let (process, output) = (Process(), Pipe())
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        (process.standardOutput, process.standardError) = (output, output)
        try process.run()
        let said = try output.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (process.terminationStatus, String(decoding: said, as: UTF8.self))
    }
}

extension TemporaryFolder {
    func write(_ bytes: [UInt8], as name: String) throws -> String {
        try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}

extension CertificateKey {
    func copyPEM() throws -> [UInt8] { try withPEM { span in span.withUnsafeBytes { Array($0) } } }
}
