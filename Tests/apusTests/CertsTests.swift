// `apus certs`: the files it writes, those it does not, and what it prints.

import Foundation
import Glibc
import TestSupport
import Testing

@Suite struct CertsTests {
    /// A folder with an authority in it.
    private func folderWithAuthority() async throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        #expect(try await Command.run("certs", "ca", "--out", folder.path).status == 0)
        return folder
    }

    private func mode(_ path: String) -> mode_t? {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : nil
    }

    private func bytes(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

    private func openssl(_ arguments: String...) throws -> Int32? {
        let path = "/usr/bin/openssl"
        guard FileManager.default.isExecutableFile(atPath: path) else {
            print("left out: verifying with the openssl command, since there is no \(path)")
            return nil
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        return process.terminationStatus
    }

    // MARK: Making

    @Test(arguments: ["p256", "ed25519"])
    func anAuthorityAndANodeAreMade(keyType: String) async throws {
        let folder = try TemporaryFolder()
        let pki = folder.file("pki")
        let authority = try await Command.run("certs", "ca", "--name", "My CA", "--out", pki, "--key-type", keyType)
        #expect((authority.status, authority.complaint) == (0, ""))
        #expect(authority.text.contains("apus certs node NAME --san HOST --ca \(pki) --out \(pki)\n"))
        let arguments = ["certs", "node", "edge-1", "--san", "localhost", "--san", "127.0.0.1", "--ca", pki]
        let node = try await Command.run(arguments + ["--out", pki, "--key-type", keyType])
        #expect((node.status, node.complaint) == (0, ""))
        for name in ["ca", "edge-1"] {
            #expect(mode("\(pki)/\(name).key") == 0o600)
            #expect(mode("\(pki)/\(name).pem") == 0o644)
        }
        let status = try openssl("verify", "-verify_ip", "127.0.0.1", "-CAfile", "\(pki)/ca.pem", "\(pki)/edge-1.pem")
        #expect(status == nil || status == 0)
    }

    /// The very lines that a user pastes.
    @Test func itSaysHowToUseThem() async throws {
        let folder = try await folderWithAuthority()
        let path = folder.path
        let node = try await Command.run(
            "certs", "node", "edge-1", "--san", "edge.example.org", "--ca", path, "--out", path)
        let serve = "  apus serve --security tls --tls-certificate \(path)/edge-1.pem --tls-key \(path)/edge-1.key"
        #expect(node.lines.contains(serve))
        #expect(node.lines.contains("\(serve) --tls-ca \(path)/ca.pem --verify-client"))
        #expect(node.lines.contains("  apus ping --tls --ca \(path)/ca.pem --address edge.example.org:9000"))
        let alone = try await Command.run("certs", "self-signed", "me", "--san", "::1", "--out", path)
        #expect(alone.lines.contains("  apus ping --tls --ca \(path)/me.pem --address '[::1]:9000'"))
        #expect(!alone.text.contains("--verify-client"))
    }

    @Test func aFolderWithSpacesIsQuoted() async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("it's here")
        let alone = try await Command.run("certs", "self-signed", "localhost", "--out", path)
        #expect(alone.status == 0)
        #expect(alone.text.contains("--tls-key '\(folder.path)/it'\\''s here/localhost.key'"))
        #expect(mode("\(path)/localhost.key") == 0o600)
    }

    @Test func theNameIsTheAlternativeNameUnlessThereIsOne() async throws {
        let folder = try TemporaryFolder()
        let made = try await Command.run("certs", "self-signed", "a.example", "--out", folder.path, "--json").object()
        let fields = try #require(made["fields"] as? [String: Any])
        #expect(fields["alternative_names"] as? [String] == ["a.example"])
        let nameless = try await Command.run("certs", "self-signed", "two words", "--out", folder.path)
        #expect(nameless.status == 2)
        #expect(nameless.complaint.contains("two words"))
    }

    @Test func aWildcardNamesItsFilesOtherwise() async throws {
        let folder = try TemporaryFolder()
        #expect(try await Command.run("certs", "self-signed", "*.a.example", "--out", folder.path).status == 0)
        #expect(mode(folder.file("_wildcard.a.example.key")) == 0o600)
    }

    @Test func anAuthoritysFilesMayBeNamed() async throws {
        let folder = try await folderWithAuthority()
        let files = ["--ca-certificate", folder.file("ca.pem"), "--ca-key", folder.file("ca.key")]
        let arguments = ["certs", "node", "a.example", "--out", folder.path]
        #expect(try await Command.run(arguments + files).status == 0)
        #expect(try await Command.run(arguments + files.prefix(2)).status == 2)
        #expect(try await Command.run(arguments + files + ["--ca", folder.path]).status == 2)
    }

    @Test func aNodeEndsWithItsAuthorityAndThatIsSaid() async throws {
        let folder = try TemporaryFolder()
        #expect(try await Command.run("certs", "ca", "--days", "2", "--out", folder.path).status == 0)
        let node = try await Command.run("certs", "node", "a.example", "--ca", folder.path, "--out", folder.path)
        #expect(node.status == 0)
        #expect(node.complaint.contains("ends before 365 days are over"))
    }

    // MARK: Not making

    @Test func nothingIsReplacedUnasked() async throws {
        let folder = try await folderWithAuthority()
        let before = try bytes(folder.file("ca.key"))
        let again = try await Command.run("certs", "ca", "--out", folder.path)
        #expect((again.status, again.text) == (1, ""))
        #expect(again.complaint.contains("\(folder.path)/ca.key is there already"))
        #expect(try bytes(folder.file("ca.key")) == before)
        let forced = try await Command.run("certs", "ca", "--out", folder.path, "--force")
        #expect(forced.status == 0)
        #expect(try bytes(folder.file("ca.key")) != before)
        #expect(mode(folder.file("ca.key")) == 0o600)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["ca.key", "ca.pem"])
    }

    /// Where only one of the two is in the way, the other is not left behind.
    @Test(arguments: ["a.example.pem", "a.example.key"])
    func oneFileInTheWayIsEnough(file: String) async throws {
        let folder = try TemporaryFolder()
        // A link to nowhere is in the way as well: what it points to must not be made.
        #expect(symlink(folder.file("elsewhere"), folder.file(file)) == 0)
        #expect(try await Command.run("certs", "self-signed", "a.example", "--out", folder.path).status == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [file])
    }

    @Test func anAuthorityIsNeverOverwrittenByItsNode() async throws {
        let folder = try await folderWithAuthority()
        let before = try bytes(folder.file("ca.key"))
        let arguments = ["certs", "node", "ca", "--san", "a.example", "--ca", folder.path, "--out", folder.path]
        let node = try await Command.run(arguments + ["--force"])
        #expect(node.status == 2)
        #expect(node.complaint.contains("the authority's own file"))
        #expect(try bytes(folder.file("ca.key")) == before)
    }

    @Test func withoutAnAuthorityThereIsNoNode() async throws {
        let folder = try TemporaryFolder()
        let node = try await Command.run("certs", "node", "a.example", "--ca", folder.path, "--out", folder.path)
        #expect((node.status, node.text) == (1, ""))
        #expect(node.complaint.contains("\(folder.path)/ca.pem"))
        // A node is no authority, and a key of another does not fit.
        #expect(try await Command.run("certs", "self-signed", "b.example", "--out", folder.path).status == 0)
        let arguments = ["certs", "node", "c.example", "--out", folder.path]
        let files = ["--ca-certificate", folder.file("b.example.pem"), "--ca-key", folder.file("b.example.key")]
        let byNode = try await Command.run(arguments + files)
        #expect(byNode.status == 3)
        #expect(byNode.complaint.contains("may not sign others"))
        #expect(try await Command.run("certs", "ca", "--out", folder.path).status == 0)
        let mixed = ["--ca-certificate", folder.file("ca.pem"), "--ca-key", folder.file("b.example.key")]
        let mismatch = try await Command.run(arguments + mixed)
        #expect(mismatch.status == 3)
        #expect(mismatch.complaint.contains("does not belong"))
        #expect(mode(folder.file("c.example.key")) == nil)
    }

    @Test func aFolderThatCannotBeMadeIsSaid() async throws {
        let folder = try TemporaryFolder()
        let finished = try await Command.run("certs", "ca", "--out", folder.file("a/b/c"))
        #expect((finished.status, finished.text) == (1, ""))
        #expect(finished.complaint.contains("cannot make the folder"))
    }

    @Test(arguments: [
        ["node"], ["node", ""], ["node", "a/b"], ["node", "../a"], ["node", "a", "--san", "a:9000"],
        ["node", "a", "--san", ""], ["self-signed", "a", "--san", "10.0.0.256"], ["self-signed", "a", "--days", "0"],
        ["ca", "--days", "36501"], ["ca", "--name", ""], ["ca", "--key-type", "rsa"], ["ca", "stray"], ["show"],
        ["self-signed", "a_b"],
    ])
    func whatCannotBeUsedIsAUsageError(arguments: [String]) async throws {
        let folder = try TemporaryFolder()
        let out = arguments[0] == "show" ? [] : ["--out", folder.path]
        let finished = try await Command.run(["certs"] + arguments + out)
        #expect((finished.status, finished.text) == (2, ""))
        #expect(finished.complaint.contains("Error: "))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    // MARK: Identities

    @Test func anIdentityIsMade() async throws {
        let folder = try TemporaryFolder()
        let file = folder.file("keys/server.id")
        let made = try await Command.run("certs", "identity", "--out", file)
        #expect((made.status, made.complaint) == (0, ""))
        #expect(mode(file) == 0o600)
        #expect(mode("\(file).pub") == 0o644)
        let (secret, shown) = (try bytes(file), try bytes("\(file).pub"))
        for line in [secret, shown] {
            #expect(String(decoding: line, as: UTF8.self).wholeMatch(of: /[0-9a-f]{64}\n/) != nil)
        }
        let (seed, publicKey) = (
            String(decoding: secret.dropLast(), as: UTF8.self), String(decoding: shown.dropLast(), as: UTF8.self)
        )
        #expect(made.lines.contains("  apus serve --identity-file \(file)"))
        #expect(made.lines.contains("  apus ping --pin \(publicKey)"))
        #expect(!made.text.contains(seed))
    }

    /// The two halves belong together, and the flags read what the verb wrote.
    @Test func anIdentityIsWhatItsPinNames() async throws {
        let folder = try TemporaryFolder()
        var pins: [String] = []
        for name in ["server", "client", "stranger"] {
            let object = try await Command.run("certs", "identity", "--out", folder.file(name), "--json").object()
            #expect(object["file"] as? String == folder.file(name))
            #expect(object["public_key_file"] as? String == folder.file("\(name).pub"))
            pins.append(object["public_key"] as? String ?? "")
        }
        let files = (server: folder.file("server"), client: folder.file("client"), stranger: folder.file("stranger"))
        let serving = try await blocking { [pins] in
            try ServingCommand("--identity-file", files.server, "--pin", pins[1], security: "handshake")
        }
        let ping = ["ping", "--count", "1", "--address", serving.address]
        let known = try await Command.run(ping + ["--identity-file", files.client, "--pin", pins[0]])
        #expect((known.status, known.complaint) == (0, ""))
        #expect(try await Command.run(ping + ["--identity-file", files.client, "--pin", pins[2]]).status == 1)
        #expect(try await Command.run(ping + ["--identity-file", files.stranger, "--pin", pins[0]]).status == 1)
        #expect(try await Command.run(ping + ["--pin", pins[0]]).status == 1)
        #expect(try await blocking { serving.stop() }.status == 0)
    }

    @Test(arguments: ["mine.id", "mine.id.pub"])
    func anIdentityIsNeverReplacedUnasked(file: String) async throws {
        let folder = try TemporaryFolder()
        try Data("mine".utf8).write(to: URL(fileURLWithPath: folder.file(file)))
        let arguments = ["certs", "identity", "--out", folder.file("mine.id")]
        let made = try await Command.run(arguments)
        #expect((made.status, made.text) == (1, ""))
        #expect(made.complaint.contains("\(folder.file(file)) is there already"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == [file])
        #expect(try bytes(folder.file(file)) == Array("mine".utf8))
        #expect(try await Command.run(arguments + ["--force"]).status == 0)
        #expect(mode(folder.file("mine.id")) == 0o600)
        #expect(try bytes(folder.file("mine.id")).count == 65)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
    }

    @Test(arguments: ["", "folder/"])
    func anIdentityIsAFile(out: String) async throws {
        let made = try await Command.run("certs", "identity", "--out", out)
        #expect((made.status, made.text) == (2, ""))
    }

    // MARK: Showing

    @Test func whatWasMadeIsShown() async throws {
        let folder = try await folderWithAuthority()
        let arguments = ["certs", "node", "edge-1", "--san", "192.0.2.1", "--san", "a.example", "--ca", folder.path]
        let made = try await Command.run(arguments + ["--out", folder.path, "--json"]).object()
        let shown = try await Command.run("certs", "show", folder.file("edge-1.pem"))
        #expect(shown.status == 0)
        let fields = try #require(made["fields"] as? [String: Any])
        #expect(shown.lines.contains("subject  CN=edge-1"))
        #expect(shown.lines.contains("issuer   CN=Apus CA"))
        #expect(shown.lines.contains("names    192.0.2.1, a.example"))
        #expect(shown.lines.contains("sha256   \(fields["sha256"] as? String ?? "")"))
        #expect(shown.text.contains("365 days left"))
        let object = try await Command.run("certs", "show", folder.file("ca.pem"), "--json").object()
        let certificates = try #require(object["certificates"] as? [[String: Any]])
        #expect(certificates.map { $0["is_authority"] as? Bool } == [true])
    }

    @Test func whatIsNoCertificateIsNotShown() async throws {
        let folder = try await folderWithAuthority()
        for file in ["ca.key", "nothing.pem"] {
            let shown = try await Command.run("certs", "show", folder.file(file))
            #expect((shown.status, shown.text) == (1, ""))
            #expect(shown.complaint.contains(folder.file(file)))
            #expect(!shown.complaint.contains("BEGIN PRIVATE KEY"))
        }
    }
}
