// A host made of files in a temporary folder: healthy until a test says otherwise.

import ApusReactor
import Foundation
import TestSupport

@testable import ApusOperations

struct MadeUpHost {
    private let folder: TemporaryFolder
    var ring = RingFinding.usable(MadeUpHost.inspection)
    var clock: ClockDiscipline? = ClockDiscipline(isSynchronised: true, errorMicrosecondsMax: 2100)
    /// 1 July 2026.
    var nowSeconds: Int64 = 1_782_864_000
    var environment: [String: String] = [:]
    var certificates: [CertificateReading] = []
    var cryptographyVersion = "OpenSSL 3.0.17 1 Jul 2025"
    var plan = ServicePlan(
        shards: 2, maxConnections: 10_000, memoryBudgetPerShard: 256 << 20,
        listeners: [.init(name: "edge", address: "127.0.0.1:9000", security: .handshake)])

    static let inspection = RingInspection(
        operations: ["accept", "receive", "send"].map { .init(name: $0, isSupported: true) },
        capabilities: RingCapabilities(receiveBundles: true))

    /// - Parameter changes: texts by path; nil takes a file away.
    init(_ changes: [String: String?] = [:]) throws {
        folder = try TemporaryFolder()
        for (path, text) in MadeUpHost.healthy.merging(changes, uniquingKeysWith: { $1 }) {
            if let text { try write(text, to: path) }
        }
    }

    func write(_ text: String, to path: String, mode: Int = 0o644) throws {
        let file = URL(fileURLWithPath: folder.path + path)
        try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(text.utf8).write(to: file)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: file.path)
    }

    var files: HostFiles { HostFiles(root: folder.path) }

    func findings() -> [Finding] {
        let host = ExaminedHost(
            files: files, environment: environment, ring: ring, clock: clock, nowSeconds: nowSeconds,
            certificates: certificates, cryptographyVersion: cryptographyVersion)
        return Examination(of: host, for: plan).findings()
    }

    /// The one check that is asked about.
    func finding(_ name: String) -> Finding? { findings().first { $0.name == name } }

    static let paths = healthy.keys

    private static let healthy: [String: String?] = [
        "/proc/sys/kernel/osrelease": "6.18.44-amd64\n",
        "/proc/sys/kernel/io_uring_disabled": "0\n",
        "/proc/self/limits": limits(descriptors: "1024", "524288"),
        "/proc/self/status": "Name:\tapus\nCapEff:\t0000000000000000\nSeccomp:\t0\nCpus_allowed:\tff\n",
        "/proc/self/cgroup": "0::/user.slice/user-1000.slice/session-3.scope\n",
        "/proc/meminfo": "MemTotal:       16303428 kB\nCommitLimit:     9000000 kB\nCommitted_AS:    1000000 kB\n",
        "/proc/sys/net/core/somaxconn": "4096\n",
        "/proc/sys/net/core/rmem_max": "212992\n",
        "/proc/sys/net/core/wmem_max": "212992\n",
        "/proc/sys/net/ipv4/tcp_syncookies": "1\n",
        "/proc/sys/net/ipv4/tcp_rmem": "4096\t131072\t6291456\n",
        "/proc/sys/net/ipv4/tcp_wmem": "4096\t16384\t4194304\n",
        "/proc/sys/net/ipv4/ip_local_port_range": "32768\t60999\n",
        "/proc/sys/net/ipv4/tcp_tw_reuse": "2\n",
        "/proc/sys/vm/overcommit_memory": "0\n",
        "/sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    ]

    static func limits(descriptors soft: String, _ hard: String) -> String {
        """
        Limit                     Soft Limit           Hard Limit           Units
        Max open files            \(soft)                 \(hard)               files
        Max locked memory         8388608              unlimited            bytes

        """
    }
}
