// What can be seen of the keys of [tls]: which clients are served.

import ApusConfiguration
import ApusSecurity
import TestSupport

extension KeyEffect {
    /// A key beside the certificate and key `one`; the client believes that one.
    private static func certified<Content>(
        _ key: Key<Content>, _ cases: KeyValuePairs<String, String>,
        given: [(String, String)] = [], client: @escaping @Sendable (Scene, ServedHere) async throws -> String
    ) -> KeyEffect {
        let base = [
            ("listener.security", "'tls'"), ("tls.certificate", "'$/one.pem'"), ("tls.key", "'$/one.key'"),
        ]
        return KeyEffect(key, cases, surroundings: base + given) { scene in
            try scene.makeCertificates("one", "two")
            let value = scene.value.replacing("ONE", with: try scene.pin(of: "one"))
            do {
                return try await scene.serve {
                    $0.set(key.option.path, value)
                } _: { server in
                    try await client(scene, server)
                }
            } catch is ConfigurationError {
                return "does not start"
            }
        }
    }

    static let tls = [
        certified(TLSKeys.certificate, ["'$/one.pem'": "served", "'$/two.pem'": "does not start"]) { scene, server in
            try await scene.tlsAnswer(from: server)
        },
        certified(TLSKeys.key, ["'$/one.key'": "served", "'$/two.key'": "does not start"]) { scene, server in
            try await scene.tlsAnswer(from: server)
        },
        certified(
            TLSKeys.authority, ["'$/one.pem'": "served", "'$/two.pem'": "refused"],
            given: [("tls.verify_client", "'required'")]
        ) { scene, server in
            try await scene.tlsAnswer(from: server, certificate: "one")
        },
        certified(
            TLSKeys.verifyClient, ["'optional'": "served", "'required'": "refused"], given: [("tls.ca", "'$/one.pem'")]
        ) { scene, server in
            try await scene.tlsAnswer(from: server)
        },
        certified(
            TLSKeys.pins, ["['ONE']": "served", "['\(String(repeating: "ab", count: 32))']": "refused"],
            given: [("tls.verify_client", "'required'")]
        ) { scene, server in
            try await scene.tlsAnswer(from: server, certificate: "one")
        },
        certified(TLSKeys.alpn, ["['one']": "served", "['two']": "refused"]) { scene, server in
            try await scene.tlsAnswer(from: server) { $0.applicationProtocols = ["one"] }
        },
        certified(TLSKeys.minimumVersion, ["'1.2'": "served", "'1.3'": "refused"]) { scene, server in
            try await scene.tlsAnswer(from: server) { $0.versionMax = .tls12 }
        },
        certified(
            TLSKeys.ciphers,
            ["'ECDHE-ECDSA-AES256-GCM-SHA384'": "served", "'ECDHE-ECDSA-AES128-GCM-SHA256'": "refused"]
        ) { scene, server in
            try await scene.tlsAnswer(from: server) { settings in
                settings.versionMax = .tls12
                settings.cipherList = "ECDHE-ECDSA-AES256-GCM-SHA384"
            }
        },
        certified(
            TLSKeys.suites, ["'TLS_AES_256_GCM_SHA384'": "served", "'TLS_AES_128_GCM_SHA256'": "refused"]
        ) { scene, server in
            try await scene.tlsAnswer(from: server) { settings in
                settings.versionMin = .tls13
                settings.cipherSuites = "TLS_AES_256_GCM_SHA384"
            }
        },
    ]
}
