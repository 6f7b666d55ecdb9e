// A relative's command line as our parser gets it.

import Testing

@testable import apus

@Suite struct RelativeArgumentsTests {
    private static let forms: [(given: [String], rewritten: [String])] = [
        (["--listen-address", ":1"], ["--listen-address=:1"]), (["--listen-address=:1"], ["--listen-address=:1"]),
        (["-l", ":1"], ["--listen-address=:1"]), (["-l=:1"], ["--listen-address=:1"]),
        (["-l:1"], ["--listen-address=:1"]), (["-H:1"], ["--health-listen-address=:1"]),
        (["-c", "c", "-kk", "-e=e", "-s", "-x"],
            ["--tls-cert-file=c", "--tls-key-file=k", "--exposed-address=e", "--auth-secret=-x"]),
        (["--auth-secret", "--relay"], ["--auth-secret=--relay"]),
        (["--auth-secret=a=b"], ["--auth-secret=a=b"]),
        (["--enable-stun"], ["--enable-stun=true"]), (["--enable-stun=false"], ["--enable-stun=false"]),
        (["--letsencrypt-aws-route53", "-a", "x"], ["--letsencrypt-aws-route53=true", "--letsencrypt-domains=x"]),
        (["--log-level", "PANIC"], ["--log-level=critical"]), (["--log-level=Warn"], ["--log-level=warn"]),
        (["--insecure-allow-any-token=true"], ["--insecure-allow-any-token"]),
        (["--insecure-allow-any-token=F", "--admin=1"], ["--admin"]),
        (["--insecure-allow-any-token=perhaps"], ["--insecure-allow-any-token=perhaps"]),
        (["--shards", "2", "--config", "f"], ["--shards", "2", "--config", "f"]),
        (["--trusted-proxies=", "--log-file=", "-l", ":1"], ["--listen-address=:1"]),
        (["--letsencrypt-domains", "", "-H", "", "-a=", "--enable-stun="], []), (["--log-level", ""], []),
        (["--listen-address"], ["--listen-address"]), (["--", "-l", ":1"], ["--", "-l", ":1"]),
    ]

    @Test(arguments: forms)
    func everyFormIsTheSame(given: [String], rewritten: [String]) {
        #expect(RelativeArguments.rewritten(["serve", "--relay"] + given) == ["serve", "--relay"] + rewritten)
        #expect(RelativeArguments.rewritten(["serve", "--relay=true"] + given) == ["serve", "--relay"] + rewritten)
    }

    /// Other verbs have short flags of their own.
    @Test func withoutTheModeNothingIsTouched() {
        for (given, _) in Self.forms where !given.contains("--relay") {
            #expect(RelativeArguments.rewritten(["ping"] + given) == ["ping"] + given)
        }
    }
}
