// The value that shows a WebSocket client that its request was understood (RFC 6455 §4.2.2): SHA-1 of its key and a
// constant, in base64. It secures nothing; it must never be used where a hash has to.

import ApusWire
import COpenSSL

public enum WebSocketAccept {
    private static let constant: StaticString = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    private static let digestByteCount = 20

    /// Sec-WebSocket-Accept for a request with this key, 28 characters.
    ///
    /// - Parameter key: Sec-WebSocket-Key as it was sent, 24 characters.
    public static func value(forKey key: RawSpan) -> [28 of UInt8] {
        let digest = digest(of: key)
        let text = Base64.encode(digest.span.octets)
        return [28 of UInt8] { text[$0] }
    }

    private static func digest(of key: RawSpan) -> [UInt8] {
        let context = unsafe Algorithms.made(EVP_MD_CTX_new())
        defer { unsafe EVP_MD_CTX_free(context) }
        unsafe Algorithms.require(EVP_DigestInit_ex2(context, Algorithms.sha1, nil))
        unsafe key.withUnsafeBytes { key in
            unsafe Algorithms.require(EVP_DigestUpdate(context, key.baseAddress, key.count))
        }
        unsafe Algorithms.require(EVP_DigestUpdate(context, constant.utf8Start, constant.utf8CodeUnitCount))
        return unsafe [UInt8](count: digestByteCount) {
            unsafe Algorithms.require(EVP_DigestFinal_ex(context, $0, nil))
        }
    }
}
