// Certificates and keys for these tests, made anew by the `openssl` command in each run: none is ever kept.

import Foundation
import TestSupport

@testable import ApusSecurity

struct OpenSSLCommandFailed: Error {
    let arguments: [String]
    let complaint: String
}

/// One certificate with its key.
struct TestIdentity: Sendable {
    let chain: PEMSource
    let key: PEMSource
    let chainPath: String
    let keyPath: String
}

final class TestIdentities: Sendable {
    /// Made once; a test that cannot have it fails with the reason.
    static let shared = Result { try TestIdentities() }

    private let folder: TemporaryFolder

    /// `authority` signed all but `foreign` and `selfSigned`.
    let authority: TestIdentity
    let foreignAuthority: TestIdentity
    /// For relay.test, *.wild.test and 127.0.0.1.
    let server: TestIdentity
    let client: TestIdentity
    let expired: TestIdentity
    let foreign: TestIdentity
    let selfSigned: TestIdentity
    let ed25519: TestIdentity
    let rsa: TestIdentity
    /// 900 names: more than a record holds.
    let huge: TestIdentity
    /// More names than this side takes from a peer.
    let monstrous: TestIdentity
    /// The server's certificate over a private key that is not its own: what a thief of the certificate has.
    let stolen: TestIdentity

    init() throws {
        let folder = try TemporaryFolder()
        self.folder = folder
        let maker = IdentityMaker(folder: folder)
        authority = try maker.makeAuthority("authority")
        foreignAuthority = try maker.makeAuthority("foreign-authority")
        let names = "DNS:relay.test,DNS:*.wild.test,IP:127.0.0.1"
        server = try maker.make("server", names: names, signer: authority)
        client = try maker.make("client", names: "DNS:client.test", signer: authority)
        expired = try maker.make("expired", names: names, signer: authority, days: -1)
        foreign = try maker.make("foreign", names: names, signer: foreignAuthority)
        selfSigned = try maker.makeAuthority("self-signed")
        ed25519 = try maker.make("ed25519", algorithm: ["ED25519"], names: names, signer: authority)
        let rsaKey = ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]
        rsa = try maker.make("rsa", algorithm: rsaKey, names: names, signer: authority)
        huge = try maker.make("huge", names: IdentityMaker.names(900), signer: authority)
        monstrous = try maker.make("monstrous", names: IdentityMaker.names(3000), signer: authority)
        stolen = try maker.steal(server, withKeyOf: client)
    }
}

private struct IdentityMaker {
    let folder: TemporaryFolder

    static func names(_ count: Int) -> String {
        (["DNS:relay.test"] + (1..<count).map { "DNS:node-\($0).of.a.large.relay.test" }).joined(separator: ",")
    }

    private static let curve = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]

    func makeAuthority(_ name: String) throws -> TestIdentity {
        let identity = identity(name)
        try openssl(["genpkey", "-out", identity.keyPath, "-algorithm"] + IdentityMaker.curve)
        try openssl(
            [
                "req", "-x509", "-new", "-key", identity.keyPath, "-subj", "/CN=\(name)", "-days", "2", "-out",
                identity.chainPath, "-addext", "subjectAltName=DNS:relay.test",
            ])
        return identity
    }

    func make(
        _ name: String, algorithm: [String] = curve, names: String, signer: TestIdentity, days: Int = 2
    ) throws -> TestIdentity {
        let identity = identity(name)
        let (request, extensions) = (folder.file("\(name).csr"), folder.file("\(name).ext"))
        try "subjectAltName=\(names)\nextendedKeyUsage=serverAuth,clientAuth\n"
            .write(toFile: extensions, atomically: false, encoding: .utf8)
        try openssl(["genpkey", "-out", identity.keyPath, "-algorithm"] + algorithm)
        try openssl(
            ["req", "-new", "-key", identity.keyPath, "-subj", "/O=Apus tests/CN=\(name)", "-out", request])
        try openssl(
            [
                "x509", "-req", "-in", request, "-CA", signer.chainPath, "-CAkey", signer.keyPath, "-days", "\(days)",
                "-extfile", extensions, "-out", identity.chainPath, "-CAcreateserial",
            ])
        return identity
    }

    /// A P-256 key in SEC1's form names its public half; here that of one key stands beside the other's private half.
    /// OpenSSL compares only public halves when it is told to use it.
    func steal(_ victim: TestIdentity, withKeyOf thief: TestIdentity) throws -> TestIdentity {
        var bytes = try sec1(victim)
        let own = try sec1(thief)
        let privateHalf = 7..<39
        bytes.replaceSubrange(privateHalf, with: own[privateHalf])
        let pem = """
            -----BEGIN EC PRIVATE KEY-----
            \(Data(bytes).base64EncodedString(options: .lineLength64Characters))
            -----END EC PRIVATE KEY-----

            """
        let path = folder.file("stolen.key")
        try pem.write(toFile: path, atomically: false, encoding: .utf8)
        return TestIdentity(chain: victim.chain, key: .file(path), chainPath: victim.chainPath, keyPath: path)
    }

    private func sec1(_ identity: TestIdentity) throws -> [UInt8] {
        try openssl(["pkey", "-in", identity.keyPath, "-traditional", "-outform", "DER"])
    }

    private func identity(_ name: String) -> TestIdentity {
        let (chain, key) = (folder.file("\(name).pem"), folder.file("\(name).key"))
        return TestIdentity(chain: .file(chain), key: .file(key), chainPath: chain, keyPath: key)
    }
}

/// Runs the `openssl` command to its end and returns what it printed.
@discardableResult
func openssl(_ arguments: [String], input: String = "") throws -> [UInt8] {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["openssl"] + arguments
    let (stdin, stdout, stderr) = (Pipe(), Pipe(), Pipe())
    (process.standardInput, process.standardOutput, process.standardError) = (stdin, stdout, stderr)
    try process.run()
    try stdin.fileHandleForWriting.write(contentsOf: Data(input.utf8))
    try stdin.fileHandleForWriting.close()
    // What is complained of fits in the pipe, so the two can be read one after the other.
    let output = try stdout.fileHandleForReading.readToEnd() ?? Data()
    let complaint = try stderr.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
        throw OpenSSLCommandFailed(arguments: arguments, complaint: String(decoding: complaint, as: UTF8.self))
    }
    return Array(output)
}
