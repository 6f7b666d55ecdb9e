// The admin endpoint over TLS, asked by `openssl s_client`, and what it says of certificates.

import ApusReactor
import ApusServer
import Foundation
import TestSupport
import Testing

@Suite(.serialized) struct AdminTLSTests {
    let certificates: TestCertificates

    init() throws { certificates = try TestCertificates() }

    @Test(arguments: RingTier.allCases) func requestsAreAnsweredOverTLS(_ tier: RingTier) async throws {
        let material = try certificates.server()
        try await withAdmin(tier) { server in
            server.configuration.listeners[1].security = .tls(material)
        } _: { server in
            let answer = try ask(
                "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"
                    + "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", at: server.adminAddress)
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("\r\n\r\nlive\nHTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("\napus_handshakes_total 1\n"))
            let expiry = try #require(material.certificate?.notAfter)
            #expect(answer.contains("\napus_certificate_expiry_seconds{listener=\"admin\"} \(expiry)\n"))
            #expect(answer.hasSuffix("\n"))
            #expect(server.closed(.disconnect))
        }
    }

    private func ask(_ text: String, at address: String) throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [
            "openssl", "s_client", "-quiet", "-verify_return_error", "-CAfile", certificates.path("ca.pem"), "-connect",
            address,
        ]
        let (input, output) = (Pipe(), Pipe())
        process.standardInput = input
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        try input.fileHandleForWriting.write(contentsOf: Data(text.utf8))
        let answer = output.fileHandleForReading.readDataToEndOfFile()
        try input.fileHandleForWriting.close()
        process.waitUntilExit()
        return String(decoding: answer, as: UTF8.self)
    }
}
