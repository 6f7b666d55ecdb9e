// One request to the admin endpoint, copied out of the bytes it came in, so that it may outlive them.

import ApusWire

package struct AdminRequest: Sendable {
    package var method: HTTPMethod
    package var path: String
    package var query: String?
    package var host: String?
    /// The listener's place in the directory.
    package var listener: UInt8
    /// Over a UNIX socket, whatever its listener is by now.
    package var isLocal: Bool
    package var keepsAlive: Bool
    package var minorVersion: UInt8

    package init(_ layout: HTTPRequestLayout, of bytes: RawSpan, listener: UInt8, isLocal: Bool) {
        method = layout.method
        let path = AdminRequest.text(bytes, layout.path)
        // An absolute target without a path means the root.
        self.path = path.isEmpty ? "/" : path
        query = layout.query.map { AdminRequest.text(bytes, $0) }
        host = layout.host.map { AdminRequest.text(bytes, $0) }
        self.listener = listener
        self.isLocal = isLocal
        keepsAlive = layout.keepsAlive
        minorVersion = layout.minorVersion
    }

    /// The value of `key=value` in the query; the first counts.
    package func parameter(_ key: String) -> String? {
        for pair in query?.split(separator: "&") ?? [] where pair.hasPrefix(key + "=") {
            return String(pair.dropFirst(key.utf8.count + 1))
        }
        return nil
    }

    private static func text(_ bytes: RawSpan, _ range: Range<Int>) -> String {
        String(decoding: bytes.extracting(range).copyBytes(), as: UTF8.self)
    }
}
