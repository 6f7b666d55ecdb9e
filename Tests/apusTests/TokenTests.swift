// `apus token`: what it makes is what it believes, and what it says of the rest.

import Foundation
import TestSupport
import Testing

@Suite struct TokenTests {
    /// The golden one (relay.md §2.2): of `supersecret`, good until 2100.
    private static let golden = "Afz9CS83wqnxoVaK7dvoncRxLAQoyaKsc69X29ZemlGPNDEwMjQ0NDgwMA=="
    private static let goldenHexadecimal =
        "01fcfd092f37c2a9f1a1568aeddbe89dc4712c0428c9a2ac73af57dbd65e9a518f34313032343434383030"

    private func secretFile(
        _ secret: String, _ folder: borrowing TemporaryFolder, mode: mode_t = 0o600
    ) throws -> String {
        let path = folder.file("secret-\(secret.count)")
        try Data("\(secret)\n".utf8).write(to: URL(fileURLWithPath: path))
        #expect(chmod(path, mode) == 0)
        return path
    }

    // MARK: Checking

    @Test(arguments: [golden, goldenHexadecimal, goldenHexadecimal.uppercased()])
    func theGoldenTokenIsGood(token: String) async throws {
        let check = try await Command.run("token", "check", token, "--secret", "supersecret")
        #expect((check.status, check.complaint) == (0, ""))
        #expect(check.text == "good until 2100-01-01T00:00:00Z, signed with the current secret\n")
    }

    @Test func itIsReadFromStdinToo() async throws {
        let input = Array("\(Self.golden)\n".utf8)
        let check = try await Command.run("token", "check", "-", "--secret", "supersecret", "--json", input: input)
        let verdict = try check.object()
        #expect(check.status == 0)
        #expect(verdict["kind"] as? String == "token")
        #expect(verdict["valid"] as? Bool == true)
        #expect(verdict["expires"] as? String == "2100-01-01T00:00:00Z")
        #expect(verdict["current_secret"] as? Bool == true)
        #expect(verdict["reason"] == nil)
    }

    @Test func anEarlierSecretIsToldFromTheCurrentOne() async throws {
        let folder = try TemporaryFolder()
        let (new, old) = (try secretFile("new", folder), try secretFile("supersecret", folder))
        let check = try await Command.run("token", "check", Self.golden, "--secret-file", new, "--secret-file", old)
        #expect((check.status, check.complaint) == (0, ""))
        #expect(check.text.hasSuffix("signed with an earlier secret\n"))
    }

    @Test(arguments: [
        (golden, "other", "bad_signature", "another secret"),
        ("", "supersecret", "empty", "no token"),
        (String(goldenHexadecimal.dropLast(2)), "supersecret", "too_short", "cut"),
        ("02" + goldenHexadecimal.dropFirst(2), "supersecret", "unsupported_algo", "HMAC-SHA256"),
    ])
    func whatIsNotGoodHasItsReason(token: String, secret: String, reason: String, words: String) async throws {
        let check = try await Command.run("token", "check", token, "--secret", secret)
        #expect((check.status, check.text) == (1, ""))
        #expect(check.complaint.contains(words))
        let verdict = try await Command.run("token", "check", token, "--secret", secret, "--json")
        #expect(verdict.status == 1)
        #expect(try verdict.object()["valid"] as? Bool == false)
        #expect(try verdict.object()["reason"] as? String == reason)
    }

    // MARK: Minting

    @Test func whatIsMintedIsGood() async throws {
        let folder = try TemporaryFolder()
        let path = try secretFile("grüezi mitenand", folder)
        let mint = try await Command.run("token", "mint", "--secret-file", path, "--ttl", "2h", "--json")
        #expect((mint.status, mint.complaint) == (0, ""))
        let object = try mint.object()
        let token = try #require(object["token"] as? String)
        let payload = try #require((object["payload"] as? String).flatMap(Int.init))
        #expect(abs(payload - Int(Date().timeIntervalSince1970) - 7200) < 60)
        let bytes = Array(try #require(Data(base64Encoded: token)))
        let signature = try #require((object["signature"] as? String).flatMap { Data(base64Encoded: $0) })
        #expect(bytes == [1] + Array(signature) + Array("\(payload)".utf8))
        #expect(try await Command.run("token", "check", token, "--secret-file", path).status == 0)
        #expect(try await Command.run("token", "check", token, "--secret", "grüezi").status == 1)
    }

    @Test func theLinesNameTheParts() async throws {
        let mint = try await Command.run("token", "mint", "--secret", "supersecret")
        #expect((mint.status, mint.complaint) == (0, ""))
        #expect(mint.lines.map { $0.prefix { $0 != " " } } == ["token", "payload", "signature", "expires"])
    }

    @Test func aNegativeLifetimeHasExpired() async throws {
        let mint = try await Command.run("token", "mint", "--secret", "supersecret", "--ttl=-1m", "--json")
        let token = try #require(try mint.object()["token"] as? String)
        let check = try await Command.run("token", "check", token, "--secret", "supersecret")
        #expect(check.status == 1)
        #expect(check.complaint.contains("the token has expired"))
    }

    // MARK: Asking wrongly

    @Test(arguments: [
        ["token", "mint"], ["token", "check", golden], ["token", "check", "--secret", "x"],
        ["token", "mint", "--secret", ""], ["token", "mint", "--secret", "a", "--secret", "b"],
        ["token", "mint", "--secret", "a", "--ttl", "12"], ["token", "mint", "--secret", "a", "--ttl", "soon"],
        ["token", "mint", "--secret", "a", "--ttl", "9223372036854775807d"],
        ["token", "mint", "--secret", "a", "--ttl", "9223372036854775807s"],
        ["token", "mint", "--secret", "a", "--ttl=-90000d"], ["token", "check", "not a token", "--secret", "a"],
    ])
    func whatCannotBeReadIsAUsageError(arguments: [String]) async throws {
        let finished = try await Command.run(arguments)
        #expect((finished.status, finished.text) == (2, ""), "\(arguments)")
        #expect(finished.complaint.contains("Error: "))
    }

    @Test func aSecretThatIsNoneIsAnInvalidConfiguration() async throws {
        let folder = try TemporaryFolder()
        let (open, empty) = (try secretFile("open", folder, mode: 0o644), try secretFile("", folder))
        for (path, words) in [
            (open, "chmod 600"), (empty, "1 to 4096 bytes of UTF-8 text"), (folder.file("none"), "cannot be read"),
        ] {
            let mint = try await Command.run("token", "mint", "--secret-file", path)
            #expect((mint.status, mint.text) == (3, ""))
            #expect(mint.complaint.contains(words), "\(mint.complaint)")
        }
    }

    /// Whoever signs, examines, serves or measures takes the same secrets.
    @Test(arguments: [Array("\n".utf8), [0xC3, 0x28], Array(repeating: 0x61, count: 4097)])
    func oneReaderOfSecretsRefusesForAll(bytes: [UInt8]) async throws {
        let folder = try TemporaryFolder()
        let path = folder.file("secret")
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        #expect(chmod(path, 0o600) == 0)
        for arguments in [
            ["token", "mint", "--secret-file", path], ["token", "check", Self.golden, "--secret-file", path],
            ["bench", "relay", "--auth-secret-file", path],
            ["check", "--relay", "-e", "x:1", "--auth-secret-file", path],
        ] {
            let finished = try await Command.run(arguments)
            #expect(finished.status == 3)
            #expect(finished.complaint.contains("\(path): a secret is 1 to 4096 bytes of UTF-8 text"), "\(arguments)")
        }
    }

    @Test func aSecretThatIsWrittenOutHasTheSameBounds() async throws {
        let long = String(repeating: "a", count: 4097)
        for (arguments, flag) in [
            (["token", "mint", "--secret", long], "--secret"),
            (["bench", "relay", "--auth-secret", long], "--auth-secret"),
            (["check", "--relay", "-e", "x:1", "--auth-secret", long], "--auth-secret"),
        ] {
            let finished = try await Command.run(arguments)
            #expect(finished.status == 3)
            let isTold = finished.complaint.contains("\(flag): ") && finished.complaint.contains("1 to 4096 bytes")
            #expect(isTold, "\(finished.complaint)")
        }
        let most = try await Command.run("token", "mint", "--secret", String(repeating: "a", count: 4096))
        #expect(most.status == 0)
    }
}
