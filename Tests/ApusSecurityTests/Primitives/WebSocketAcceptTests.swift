// The accept value against RFC 6455's own example and against hashes made by Python's hashlib.

import ApusSecurity
import Testing

struct WebSocketAcceptTests {
    static let known = [
        ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
        ("AAAAAAAAAAAAAAAAAAAAAA==", "ICX+Yqv66kxgM0FcWaLWlFLwTAI="),
        ("/////////////////////w==", "XXpj4jYzLM2yUE0C7TIgMwTQh2g="),
    ]

    @Test(arguments: known) func isTheHashOfKeyAndConstant(key: String, accept: String) {
        let bytes = Array(key.utf8)
        let value = WebSocketAccept.value(forKey: bytes.span.bytes)
        #expect(String(decoding: value.indices.map { value[$0] }, as: UTF8.self) == accept)
    }
}
