// Each check against a host that is made up to fail it, and to pass it.

import ApusReactor
import Foundation
import Testing

@testable import ApusOperations

@Suite struct DoctorTests {
    @Test func aHealthyHostIsFit() throws {
        let findings = try MadeUpHost().findings()
        #expect(findings.filter { $0.verdict != .ok } == [])
        #expect(findings.areFit(strictly: true))
        #expect(Set(findings.map(\.name)).count == findings.count)
    }

    /// A host whose files cannot be read is not blamed for it.
    @Test func whatCannotBeReadIsUnknown() throws {
        let nothing = try MadeUpHost(MadeUpHost().allPathsGone)
        let findings = nothing.findings()
        #expect(findings.count(of: .failure) == 0)
        #expect(findings.count(of: .warning) == 0)
        #expect(findings.count(of: .unknown) >= 12)
        #expect(findings.areFit(strictly: true))
    }

    @Test func warningsCountOnlyStrictly() throws {
        let findings = try MadeUpHost(["/proc/sys/net/core/somaxconn": "128\n"]).findings()
        #expect(findings.areFit(strictly: false))
        #expect(!findings.areFit(strictly: true))
    }

    // MARK: Kernel and ring

    @Test(arguments: [
        ("5.10.0-30-amd64", Verdict.failure), ("6.0.19", .failure), ("6.1.0-28-amd64", .ok), ("7.0", .ok),
    ])
    func theKernelIsNewEnough(release: String, verdict: Verdict) throws {
        #expect(try MadeUpHost(["/proc/sys/kernel/osrelease": "\(release)\n"]).finding("kernel")?.verdict == verdict)
    }

    @Test func aPretendedTierIsSaid() throws {
        var host = try MadeUpHost()
        host.environment["APUS_RING_TIER"] = "6.1"
        #expect(host.finding("kernel")?.seen.contains("APUS_RING_TIER=6.1") == true)
    }

    @Test func missingOperationsAreNamedAllTogether() throws {
        var host = try MadeUpHost()
        let operations = [("accept", true), ("send", false), ("msg_ring", false)]
        host.ring = .usable(
            RingInspection(
                operations: operations.map { .init(name: $0, isSupported: $1) }, capabilities: .floor))
        #expect(host.finding("operations")?.verdict == .failure)
        #expect(host.finding("operations")?.seen.contains("send, msg_ring") == true)
        #expect(host.finding("receive-bundles")?.verdict == .ok)
        #expect(host.finding("receive-bundles")?.seen.contains("not there") == true)
    }

    struct Refusal: Sendable {
        var errno: Int32 = EPERM
        var disabled = "0"
        var seccomp = "0"
        var files: [String: String] = [:]
        var environment: [String: String] = [:]
        let seen: String
        let fix: Fix
    }

    static let refusals = [
        Refusal(
            disabled: "2", seen: "kernel.io_uring_disabled = 2",
            fix: .command("sysctl -w kernel.io_uring_disabled=0")),
        Refusal(
            disabled: "1", seen: "io_uring_group",
            fix: .line("kernel.io_uring_disabled = 0", file: "/etc/sysctl.d/60-apus.conf")),
        Refusal(
            disabled: "2", files: ["/.dockerenv": ""], seen: "kernel.io_uring_disabled = 2",
            fix: .line("kernel.io_uring_disabled = 0", file: "/etc/sysctl.d/60-apus.conf of the container's host")),
        Refusal(
            seccomp: "2", files: ["/.dockerenv": ""], seen: "(EPERM) by a seccomp filter, in a Docker container",
            fix: .command("docker run --security-opt seccomp=tools/deploy/container/seccomp.json ...")),
        Refusal(
            errno: ENOSYS, seccomp: "2", files: ["/run/.containerenv": ""],
            seen: "(ENOSYS) by a seccomp filter, in a Podman container",
            fix: .command("podman run --security-opt seccomp=tools/deploy/container/seccomp.json ...")),
        Refusal(
            seccomp: "2", environment: ["KUBERNETES_SERVICE_HOST": "10.0.0.1"], seen: "in a Kubernetes pod",
            fix: .line(
                "seccompProfile: {type: Localhost, localhostProfile: profiles/apus.json}",
                file: "the pod's securityContext")),
        Refusal(
            seccomp: "2", files: ["/proc/self/cgroup": "0::/system.slice/apus.service\n"],
            seen: "in the unit apus.service",
            fix: .line(
                "SystemCallFilter=io_uring_setup io_uring_enter io_uring_register",
                file: "/etc/systemd/system/apus.service.d/limits.conf, under [Service]")),
        Refusal(seen: "neither a setting nor a seccomp filter", fix: .step("allow io_uring in that policy")),
        Refusal(
            errno: ENOSYS, seen: "without CONFIG_IO_URING",
            fix: .step("boot your distribution's own kernel, or one built with CONFIG_IO_URING=y")),
        Refusal(
            errno: EMFILE, seen: "no descriptor is left",
            fix: .line("* - nofile 10038", file: "/etc/security/limits.d/60-apus.conf")),
        Refusal(
            errno: ENOMEM, files: ["/.dockerenv": ""], seen: "ENOMEM", fix: .command("docker run --memory 553m ...")),
        Refusal(errno: EIO, seen: "Input/output error", fix: .command("strace -e io_uring_setup apus doctor")),
    ]

    @Test(arguments: refusals)
    func aRefusedRingIsToldApart(refusal: Refusal) throws {
        var changes: [String: String?] = refusal.files.mapValues { $0 }
        changes["/proc/sys/kernel/io_uring_disabled"] = "\(refusal.disabled)\n"
        changes["/proc/self/status"] = "Seccomp:\t\(refusal.seccomp)\nCpus_allowed:\tff\n"
        var host = try MadeUpHost(changes)
        host.environment = refusal.environment
        host.ring = .refused(errno: refusal.errno)
        let finding = try #require(host.finding("io_uring"))
        #expect(finding.verdict == .failure)
        #expect(finding.seen.contains(refusal.seen), "\(finding.seen)")
        #expect(finding.fixes.contains(refusal.fix), "\(finding.fixes)")
        #expect(host.finding("operations") == nil)
    }

    // MARK: Descriptors and ports

    @Test(arguments: [
        ("1024", "1048576", Verdict.ok, ""), ("unlimited", "unlimited", .ok, "unlimited hard"),
        ("1024", "4096", .warning, "only 4058 connections"), ("16", "16", .failure, "too few for any"),
    ])
    func descriptorsAreEnough(soft: String, hard: String, verdict: Verdict, seen: String) throws {
        let limits = MadeUpHost.limits(descriptors: soft, hard)
        let finding = try MadeUpHost(["/proc/self/limits": limits]).finding("nofile")
        #expect(finding?.verdict == verdict)
        #expect(seen.isEmpty || finding?.seen.contains(seen) == true, "\(finding?.seen ?? "")")
    }

    @Test func theKernelsCeilingIsRaisedFirst() throws {
        let limits = MadeUpHost.limits(descriptors: "1024", "4096")
        let changes = ["/proc/self/limits": limits, "/proc/sys/fs/nr_open": "8192\n"]
        #expect(try MadeUpHost(changes).finding("nofile")?.fixes.first == .command("sysctl -w fs.nr_open=10038"))
    }

    @Test func theInstalledUnitHasALimitOfItsOwn() throws {
        let unit = "/usr/lib/systemd/system/apus.service"
        let host = try MadeUpHost([unit: "[Service]\nLimitNOFILE=1024:4096\n"])
        #expect(host.finding("unit-nofile")?.verdict == .warning)
        #expect(host.finding("unit-nofile")?.seen.contains("LimitNOFILE=1024:4096") == true)
        try host.write("[Service]\nLimitNOFILE=infinity\n", to: "/etc/systemd/system/apus.service.d/10-more.conf")
        #expect(host.finding("unit-nofile")?.verdict == .ok)
        #expect(try MadeUpHost().finding("unit-nofile") == nil)
    }

    /// On Linux 6.18 each ring takes 112 KiB of it; 6.12 does not count.
    @Test(arguments: [
        ("6.18.1", "65536", Verdict.failure, "0"), ("6.18.1", "262144", .warning, "0"), ("6.18.1", "8388608", .ok, "0"),
        ("6.18.1", "unlimited", .ok, "0"), ("6.12.9", "65536", .ok, "0"), ("6.18.1", "65536", .ok, "4000"),
    ])
    func ringsCountAsLockedMemory(release: String, limit: String, verdict: Verdict, capabilities: String) throws {
        let finding = try MadeUpHost([
            "/proc/sys/kernel/osrelease": "\(release)\n",
            "/proc/self/limits": "Max locked memory 65536 \(limit) bytes\n",
            "/proc/self/status": "CapEff:\t\(capabilities)\nCpus_allowed:\t3\n",
        ]).finding("memlock")
        #expect(finding?.verdict == verdict)
        #expect(verdict == .ok || finding?.fixes.first?.text.contains("memlock unlimited") == true)
    }

    @Test(arguments: [("64K", Verdict.failure), ("384K", .warning), ("64M", .ok), ("1G:infinity", .ok)])
    func theInstalledUnitMayLockMemory(limit: String, verdict: Verdict) throws {
        let unit = "[Service]\nLimitMEMLOCK=\(limit)\n"
        let finding = try MadeUpHost(["/etc/systemd/system/apus.service": unit]).finding("unit-memlock")
        #expect(finding?.verdict == verdict)
    }

    @Test func lowPortsNeedACapability() throws {
        var host = try MadeUpHost()
        host.plan.listeners = [.init(name: "web", address: "[::]:443", security: .tls)]
        #expect(host.finding("low-ports")?.verdict == .failure)
        var entitled = try MadeUpHost(["/proc/self/status": "CapEff:\t0000000000000400\nCpus_allowed:\t3\n"])
        entitled.plan.listeners = host.plan.listeners
        #expect(entitled.finding("low-ports")?.verdict == .ok)
        #expect(try MadeUpHost().finding("low-ports") == nil)
    }

    // MARK: Network

    static let networkFaults: [(String, String, String, Fix)] = [
        ("backlog", "net/core/somaxconn", "128", .command("sysctl -w net.core.somaxconn=4096")),
        ("syn-cookies", "net/ipv4/tcp_syncookies", "0", .command("sysctl -w net.ipv4.tcp_syncookies=1")),
        ("socket-buffers", "net/core/wmem_max", "65536", .command("sysctl -w net.core.wmem_max=212992")),
        (
            "tcp-receive", "net/ipv4/tcp_rmem", "4096 8192 65536",
            .command("sysctl -w net.ipv4.tcp_rmem='4096 131072 6291456'")
        ),
        (
            "tcp-send", "net/ipv4/tcp_wmem", "4096 8192 65536",
            .line("net.ipv4.tcp_wmem = 4096 16384 4194304", file: "/etc/sysctl.d/60-apus.conf")
        ),
        (
            "local-ports", "net/ipv4/ip_local_port_range", "60000 60999",
            .command("sysctl -w net.ipv4.ip_local_port_range='32768 60999'")
        ),
        ("port-reuse", "net/ipv4/tcp_tw_reuse", "0", .command("sysctl -w net.ipv4.tcp_tw_reuse=2")),
    ]

    @Test(arguments: networkFaults.indices)
    func networkSettingsAreMended(index: Int) throws {
        let (name, path, value, fix) = DoctorTests.networkFaults[index]
        let finding = try MadeUpHost(["/proc/sys/\(path)": "\(value)\n"]).finding(name)
        #expect(finding?.verdict == .warning)
        #expect(finding?.fixes.contains(fix) == true, "\(finding?.fixes ?? [])")
    }

    @Test func containersAreMendedFromOutside() throws {
        let docker = try MadeUpHost(["/.dockerenv": "", "/proc/sys/net/core/somaxconn": "128\n"])
        #expect(docker.finding("backlog")?.fixes == [.command("docker run --sysctl net.core.somaxconn='4096' ...")])
        let table = ["/.dockerenv": "", "/proc/sys/net/netfilter/nf_conntrack_max": "128\n"]
        let line = Fix.line(
            "net.netfilter.nf_conntrack_max = 20000", file: "/etc/sysctl.d/60-apus.conf of the container's host")
        #expect(try MadeUpHost(table).finding("conntrack")?.fixes == [line])
    }

    @Test func podsAreMendedInTheirManifest() throws {
        var pod = try MadeUpHost(["/proc/sys/net/core/somaxconn": "128\n"])
        pod.environment["KUBERNETES_SERVICE_HOST"] = "10.0.0.1"
        let line = "sysctls: [{name: net.core.somaxconn, value: \"4096\"}]"
        #expect(pod.finding("backlog")?.fixes == [.line(line, file: "the pod's securityContext")])
    }

    @Test(arguments: [
        ("262144", "100", Verdict.ok), ("8192", "100", .warning), ("8192", "8192", .failure), ("0", "100", .ok),
    ])
    func theConnectionTableHasRoom(most: String, used: String, verdict: Verdict) throws {
        let table = "/proc/sys/net/netfilter/nf_conntrack"
        let host = try MadeUpHost(["\(table)_max": "\(most)\n", "\(table)_count": "\(used)\n"])
        #expect(host.finding("conntrack")?.verdict == verdict)
        #expect(try MadeUpHost().finding("conntrack") == nil)
    }

    // MARK: Processors and memory

    @Test func shardsFitCoresAndQuota() throws {
        var host = try MadeUpHost()
        host.plan.shards = 9
        #expect(host.finding("cpu")?.fixes == [.command("apus serve --shards 8 ...")])
        host.plan.configurationFile = "/etc/apus/apus.toml"
        #expect(host.finding("cpu")?.fixes == [.line("shards = 8", file: "/etc/apus/apus.toml, under [server]")])
    }

    /// The tightest group on the way up counts.
    @Test(arguments: [
        ("0::/a/b\n", "/sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
        ("0::/a/b\n", "/sys/fs/cgroup/a/b/cpu.max", "150000 100000\n"),
        ("0::/not/mounted\n", "/sys/fs/cgroup/cpu.max", "150000 100000\n"),
    ])
    func aQuotaIsFoundOnTheWayUp(group: String, path: String, text: String) throws {
        let host = try MadeUpHost(["/proc/self/cgroup": group, path: text])
        #expect(host.finding("cpu")?.verdict == .warning)
        #expect(host.finding("cpu")?.seen.contains("1.5 CPUs by quota") == true)
        #expect(host.finding("cpu")?.fixes.last == .command("apus serve --shards 1 ..."))
    }

    @Test func theOlderHierarchyIsReadToo() throws {
        let host = try MadeUpHost([
            "/proc/self/cgroup": "4:memory:/box\n2:cpu,cpuacct:/box\n0::/\n",
            "/sys/fs/cgroup/cpu/box/cpu.cfs_quota_us": "100000\n",
            "/sys/fs/cgroup/cpu/box/cpu.cfs_period_us": "100000\n",
            "/sys/fs/cgroup/memory/box/memory.limit_in_bytes": "\(256 << 20)\n",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        ])
        #expect(host.finding("cpu")?.seen.contains("1.0 CPUs by quota") == true)
        #expect(host.finding("memory")?.seen.contains("256 MiB by control group") == true)
        #expect(host.finding("memory")?.verdict == .warning)
    }

    @Test(arguments: [
        ("max\n", Verdict.ok), ("1073741824\n", .ok), ("268435456\n", .warning), ("16777216\n", .failure),
    ])
    func memoryIsEnough(limit: String, verdict: Verdict) throws {
        let host = try MadeUpHost(["/proc/self/cgroup": "0::/box\n", "/sys/fs/cgroup/box/memory.max": limit])
        #expect(host.finding("memory")?.verdict == verdict)
    }

    @Test func strictOvercommitCountsReservations() throws {
        let strict = ["/proc/sys/vm/overcommit_memory": "2\n"]
        #expect(try MadeUpHost(strict).finding("overcommit")?.verdict == .ok)
        let memory = "MemTotal: 16303428 kB\nCommitLimit: 9000 kB\nCommitted_AS: 8000 kB\n"
        let finding = try MadeUpHost(strict.merging(["/proc/meminfo": memory]) { $1 }).finding("overcommit")
        #expect(finding?.verdict == .warning)
        #expect(finding?.fixes.first == .command("sysctl -w vm.overcommit_memory=0"))
    }

    @Test(arguments: ["[always] madvise never\n", "always madvise [never]\n"])
    func hugePagesAreNotNeeded(modes: String) throws {
        let finding = try MadeUpHost(["/sys/kernel/mm/transparent_hugepage/enabled": modes]).finding("huge-pages")
        #expect(finding?.verdict == .ok)
        #expect(finding?.seen.contains("not needed") == true)
    }

    // MARK: Trust

    @Test func theClockIsKeptRight() throws {
        var host = try MadeUpHost()
        #expect(host.finding("clock")?.seen.contains("30 s behind") == true)
        host.clock = ClockDiscipline(isSynchronised: true, errorMicrosecondsMax: 1_500_000)
        #expect(host.finding("clock")?.verdict == .warning)
        host.clock = ClockDiscipline(isSynchronised: false, errorMicrosecondsMax: 16_000_000)
        #expect(host.finding("clock")?.fixes.first == .command("timedatectl set-ntp true"))
        host.nowSeconds = 86_400
        #expect(host.finding("clock")?.verdict == .failure)
        #expect(host.finding("clock")?.seen.contains("1970-01-02") == true)
    }

    @Test func theLibraryIsNewEnough() throws {
        var host = try MadeUpHost()
        host.cryptographyVersion = "OpenSSL 1.1.1w  11 Sep 2023"
        #expect(host.finding("openssl")?.verdict == .failure)
    }

    private func reading(_ validity: ClosedRange<Int64>?, problem: String? = nil) -> CertificateReading {
        CertificateReading(
            listener: "edge", certificatePath: "/etc/apus/edge.pem", keyPath: "/etc/apus/edge.key", problem: problem,
            validity: validity, subject: "CN=edge")
    }

    @Test func certificatesAreGoodForLongEnough() throws {
        var host = try MadeUpHost()
        let (day, now) = (Int64(86_400), host.nowSeconds)
        let cases: [(ClosedRange<Int64>?, Verdict)] = [
            (now - day...now + 90 * day, .ok), (now - day...now + 3 * day, .warning),
            (now - 9 * day...now - day, .failure), (now + day...now + 9 * day, .failure), (nil, .unknown),
        ]
        for (validity, verdict) in cases {
            host.certificates = [reading(validity)]
            #expect(host.finding("certificate-edge")?.verdict == verdict)
        }
        host.certificates = [reading(nil, problem: "is not the key")]
        #expect(host.finding("certificate-edge")?.verdict == .failure)
        #expect(host.finding("certificate-edge")?.fixes == [.command("apus certs show /etc/apus/edge.pem")])
    }

    @Test(arguments: [(0o600, Verdict.ok), (0o640, .ok), (0o644, .failure), (0o660, .failure)])
    func keysAreReadableByFew(mode: Int, verdict: Verdict) throws {
        var host = try MadeUpHost()
        try host.write("key", to: "/etc/apus/edge.key", mode: mode)
        host.certificates = [reading(nil)]
        #expect(host.finding("key-edge")?.verdict == verdict)
    }

    @Test(arguments: [(0o600, Verdict.ok), (0o400, .ok), (0o640, .failure), (0o604, .failure)])
    func secretsAreReadableByOne(mode: Int, verdict: Verdict) throws {
        var host = try MadeUpHost()
        try host.write("psk", to: "/etc/apus/psk", mode: mode)
        host.plan.secretFiles = [("psk_file", "/etc/apus/psk")]
        #expect(host.finding("psk_file")?.verdict == verdict)
        #expect(verdict == .ok || host.finding("psk_file")?.fixes == [.command("chmod 600 /etc/apus/psk")])
        host.plan.secretFiles = [("psk_file", "/etc/apus/gone")]
        #expect(host.finding("psk_file")?.verdict == .failure)
    }

    // MARK: Text

    @Test func findingsAreOneLineEachWithTheirFixes() {
        let findings: [Finding] = [
            .ok("kernel", "Linux 6.18"),
            .warning("backlog", "128", [.command("sysctl -w a=1"), .line("a = 1", file: "/etc/a.conf")]),
            .failure("clock", "1970", [.step("set it")]),
        ]
        #expect(
            FindingText(findings, isColoured: false).lines == [
                "ok       kernel   Linux 6.18",
                "warning  backlog  128",
                "         run: sysctl -w a=1",
                "         in /etc/a.conf: a = 1",
                "failure  clock    1970",
                "         do: set it",
                "3 checks: 1 ok, 1 warning, 1 failure",
            ])
        #expect(FindingText(findings, isColoured: true).lines[0] == "\u{1B}[32mok     \u{1B}[0m  kernel   Linux 6.18")
    }

    @Test func findingsAreJSON() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let finding = Finding.warning("backlog", "128", [.command("a"), .line("b", file: "/c"), .step("d")])
        let text = String(decoding: try encoder.encode(finding), as: UTF8.self)
        let fixes = [
            #"{"kind":"command","text":"a"}"#, #"{"file":"/c","kind":"line","text":"b"}"#,
            #"{"kind":"step","text":"d"}"#,
        ].joined(separator: ",")
        #expect(text == #"{"fixes":[\#(fixes)],"name":"backlog","seen":"128","verdict":"warning"}"#)
    }

    /// The host the tests run on: whatever it is, looking at it does no harm.
    @Test func thisHostCanBeLookedAt() {
        let host = ExaminedHost.current(certificates: [], cryptographyVersion: "OpenSSL 3.0.0")
        let plan = ServicePlan(shards: 1, maxConnections: 100, memoryBudgetPerShard: 1 << 20, listeners: [])
        let findings = Examination(of: host, for: plan).findings()
        #expect(findings.contains { $0.name == "kernel" })
        guard case .usable(let inspection) = host.ring else { return }
        let missing = inspection.operations.filter { !$0.isSupported }
        #expect(missing == [])
    }
}

extension MadeUpHost {
    /// Changes that leave no file at all.
    fileprivate var allPathsGone: [String: String?] {
        [String: String?](uniqueKeysWithValues: MadeUpHost.paths.map { ($0, nil) })
    }
}

extension Fix {
    fileprivate var text: String {
        switch self {
        case .command(let text), .line(let text, file: _), .step(let text): text
        }
    }
}
