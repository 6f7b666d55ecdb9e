// A folder that is gone after the test.

import Foundation

package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        // Short: the path of a UNIX socket has at most 107 bytes.
        path = NSTemporaryDirectory() + "apus-" + UUID().uuidString.prefix(12)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    }

    deinit {
        do {
            try FileManager.default.removeItem(atPath: path)
        } catch {
            print("left behind \(path): \(error)")
        }
    }

    package func file(_ name: String) -> String { path + "/" + name }
}
