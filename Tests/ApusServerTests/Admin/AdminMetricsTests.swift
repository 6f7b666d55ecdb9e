// The metrics: their names and labels are a promise, their text is Prometheus', and what they count is what happened.

import ApusReactor
import ApusSecurity
@testable import ApusServer
import ApusWire
import TestSupport
import Testing

@Suite(.serialized) struct AdminMetricsTests {
    /// Names with their kind and label names. A change here changes dashboards and alerts elsewhere.
    static let promised = """
        apus_build_info gauge version
        apus_certificate_expiry_seconds gauge listener
        apus_connections_accepted_total counter listener
        apus_connections_closed_total counter reason
        apus_connections_max gauge
        apus_connections_open gauge listener
        apus_connections_refused_total counter reason
        apus_draining gauge
        apus_dropped_total counter reason
        apus_handshakes_refused_total counter reason
        apus_handshakes_resumed_total counter
        apus_handshakes_total counter
        apus_live gauge
        apus_log_records_dropped_total counter
        apus_loop_busy_seconds_total counter loop
        apus_loop_completion_queue_overflows_total counter loop
        apus_loop_completions_total counter loop
        apus_loop_free_buffers gauge loop
        apus_loop_last_turn_age_seconds gauge loop
        apus_loop_starved_receives_total counter loop
        apus_loop_turns_total counter loop
        apus_messages_received_total counter listener
        apus_ready gauge
        apus_received_bytes_total counter listener
        apus_reloads_total counter outcome
        apus_sent_bytes_total counter listener
        apus_service_seconds histogram
        apus_start_time_seconds gauge
        apus_tls_failures_total counter reason
        apus_turn_duration_seconds histogram loop
        apus_wake_delay_seconds histogram loop
        process_cpu_seconds_total counter
        process_open_fds gauge
        process_resident_memory_bytes gauge
        """

    @Test func namesAndLabelsAreThosePromised() async throws {
        try await withAdmin { server in
            let found = server.handle.metricFamilies.map { family in
                let labels = Set(family.samples.flatMap { $0.labels.map(\.name) }).sorted()
                // Only listeners with TLS have this one.
                let named = family.name == "apus_certificate_expiry_seconds" ? ["listener"] : labels
                return ([family.name, family.kind.rawValue] + named).joined(separator: " ")
            }
            #expect(found.sorted() == Self.promised.split(separator: "\n").map(String.init))
        }
    }

    /// Every reason has its series from the start on, and no label has any other value.
    @Test func reasonsAreClosedSets() async throws {
        try await withAdmin { server in
            let sets = [
                "apus_connections_closed_total": CloseReason.allCases.map(\.label),
                "apus_connections_refused_total": RefusalReason.allCases.map(\.label),
                "apus_dropped_total": DropReason.allCases.map(\.label),
                "apus_handshakes_refused_total": HandshakeRefusal.allCases.map(\.label),
                "apus_tls_failures_total": TLSFailure.kindLabels,
            ]
            for family in server.handle.metricFamilies {
                guard let expected = sets[family.name] else { continue }
                #expect(family.samples.map { $0.labels[0].value } == expected)
                #expect(Set(expected).count == expected.count)
            }
        }
    }

    @Test func whatHappenedIsCounted() async throws {
        try await withAdmin { server in
            let peer = try server.connect()
            for _ in 0..<5 { #expect(try peer.request(.echo("hi")) == .echo("hi")) }
            let stranger = try server.connect()
            try stranger.send(bytes: Array("GET /".utf8))
            #expect(try stranger.readToEnd().isEmpty)
            #expect(server.closed(.wrongMagic))
            let text = try #require(try server.admin("/metrics")?.body)
            for line in [
                "apus_messages_received_total{listener=\"edge\"} 5", "apus_connections_open{listener=\"edge\"} 1",
                "apus_connections_accepted_total{listener=\"edge\"} 2",
                "apus_connections_closed_total{reason=\"wrong_magic\"} 1",
                "apus_connections_closed_total{reason=\"idle_timeout\"} 0",
                "apus_received_bytes_total{listener=\"edge\"} 120", "apus_sent_bytes_total{listener=\"edge\"} 115",
                "apus_service_seconds_count 5", "apus_service_seconds_bucket{le=\"+Inf\"} 5", "apus_live 1",
                "apus_build_info{version=\"1.2.3\"} 1", "apus_reloads_total{outcome=\"applied\"} 0",
            ] { #expect(text.contains("\n" + line + "\n"), "\(line)") }
            #expect(text.hasSuffix("\n") && !text.contains("\n\n"))
        }
    }

    @Test func reloadsAreCounted() async throws {
        try await withAdmin { server in
            server.handle.countReload(isApplied: true)
            server.handle.countReload(isApplied: false)
            server.handle.countReload(isApplied: false)
            let text = try #require(try server.admin("/metrics")?.body)
            #expect(text.contains("apus_reloads_total{outcome=\"applied\"} 1\n"))
            #expect(text.contains("apus_reloads_total{outcome=\"refused\"} 2\n"))
        }
    }

    /// Idle loops tick, and what they use of a processor is theirs.
    @Test func idleLoopsTurnOnceASecond() async throws {
        try await withAdmin { server in
            server.configuration.shards = 2
        } _: { server in
            let turns = server.metrics.turns
            #expect(eventually { server.metrics.turns >= turns + 4 })
            #expect(server.handle.health.isLive)
        }
    }

    @Test func otherFamiliesAreShownToo() async throws {
        try await withAdmin { server in
            server.configuration.admin.logRecordsDropped = { 17 }
            server.configuration.admin.moreFamilies = {
                [MetricFamily("apus_more_total", .counter, "More.", .count(3))]
            }
        } _: { server in
            let text = try #require(try server.admin("/metrics")?.body)
            #expect(text.contains("apus_log_records_dropped_total 17\n"))
            #expect(text.hasSuffix("# HELP apus_more_total More.\n# TYPE apus_more_total counter\napus_more_total 3\n"))
        }
    }
}

// MARK: Without a server

struct MetricTextTests {
    @Test func labelsAndMeaningsAreEscaped() {
        let family = MetricFamily(
            "a_b", .gauge, "one\\two\nthree \"four\"",
            [MetricSample(.number(0.5), MetricLabel("l", "q\"b\\n\nx"), MetricLabel("m", ""))])
        #expect(
            PrometheusText.encode([family]) == """
                # HELP a_b one\\\\two\\nthree "four"
                # TYPE a_b gauge
                a_b{l="q\\"b\\\\n\\nx",m=""} 0.5

                """)
    }

    @Test func numbersAreThoseOfGo() {
        func text(_ number: Double) -> String {
            String(PrometheusText.encode([MetricFamily("a", .gauge, "b", .number(number))]).split(separator: " ").last!)
        }
        #expect(text(1.5e-7) == "1.5e-07\n")
        #expect(text(1_700_000_000) == "1700000000\n")
        #expect(text(.infinity) == "+Inf\n")
        #expect(text(-.infinity) == "-Inf\n")
        #expect(text(.nan) == "NaN\n")
    }

    @Test func aFamilyWithoutSamplesIsLeftOut() {
        #expect(PrometheusText.encode([MetricFamily("a", .gauge, "b", [])]) == "")
    }

    @Test func everyDurationHasOneBucket() {
        #expect(LatencyHistogram.bucket(of: 0) == 0)
        #expect(LatencyHistogram.bucket(of: 1) == 0)
        for bucket in 0..<LatencyHistogram.boundCount {
            let bound = LatencyHistogram.boundNanoseconds(bucket)
            #expect(LatencyHistogram.bucket(of: bound) == bucket)
            #expect(LatencyHistogram.bucket(of: bound + 1) == bucket + 1)
        }
        #expect(LatencyHistogram.bucket(of: .max) == LatencyHistogram.boundCount)
    }

    @Test func histogramsAddUp() {
        let first = LatencyHistogram()
        let second = LatencyHistogram()
        first.add(1000, count: 3)
        second.add(1000)
        second.add(5_000_000_000_000)
        let sum = first.snapshot + second.snapshot
        #expect(sum.count == 5)
        #expect(sum.counts[0] == 4 && sum.counts.last == 1)
        #expect(sum.sumNanoseconds == 5_000_000_004_000)
        #expect(sum.cumulativeCounts.last == 5)
    }

    @Test func jsonIsEscaped() {
        var json = JSONText()
        json.object { json in
            json.value("a\"b", "c\\d\n\t\u{1}<é")
            json.array("n") { json in
                json.value(nil, 1)
                json.value(nil, -2.5)
                json.value(nil, Double.nan)
                json.object { _ in }
            }
            json.value("t", true)
        }
        #expect(json.text == #"{"a\"b":"c\\d\n\t\u0001\u003cé","n":[1,-2.5,null,{}],"t":true}"#)
    }

    @Test func base64IsThatOfTheRFC() {
        for (text, expected) in [
            ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] { #expect(Base64.text(of: Array(text.utf8)) == expected) }
    }
}

struct ListenerHealthTests {
    private func health(
        _ change: (ServerVitals) -> Void, turned: UInt64? = nil, now: UInt64? = nil
    ) throws -> ServerHealth {
        let shared = try SharedState(shardCount: 1, connectionsMax: 1)
        change(shared.vitals)
        let started = shared.vitals.started.nanoseconds
        if let turned { shared.entries[0].counters.lastTurn.set(started + turned) }
        return ServerHealth(
            shared, stallLimit: 5 * .second, at: Instant(nanoseconds: started + (now ?? 0)), unixSeconds: 1000)
    }

    private func record(_ validity: ClosedRange<Int64>?, isAccepting: Bool = true) -> ListenerRecord {
        var record = ListenerRecord(
            ListenerConfiguration(name: "edge", address: "127.0.0.1:1"), address: "127.0.0.1:1", place: 0)
        record.validity = validity
        record.isAccepting = isAccepting
        return record
    }

    @Test func certificatesMustBeGoodNow() throws {
        func reasons(_ validity: ClosedRange<Int64>) throws -> [String] {
            try health { $0.directory.replace(with: [record(validity)]) }.reasons
        }
        #expect(try reasons(1000...1000).isEmpty)
        #expect(try reasons(1001...2000) == ["listener edge: its certificate is not good yet"])
        #expect(try reasons(0...999) == ["listener edge: its certificate expired 0 h ago"])
    }

    @Test func aListenerThatDoesNotAcceptIsTold() throws {
        let health = try health { $0.directory.replace(with: [record(nil, isAccepting: false)]) }
        #expect(health.reasons == ["listener edge: it does not accept"])
        #expect(health.isLive && !health.isReady)
    }

    @Test func aLoopThatStandsStillIsTold() throws {
        let second: UInt64 = 1_000_000_000
        #expect(try health({ _ in }, turned: 10 * second, now: 15 * second).isLive)
        let stalled = try health({ _ in }, turned: 10 * second, now: 16 * second)
        #expect(stalled.stalls == ["loop 0: no turn for 6 s"])
        #expect(!stalled.isLive && !stalled.isReady)
        // Before its first turn it is starting.
        #expect(try health({ _ in }, now: 4 * second).isLive)
        #expect(try health({ _ in }, now: 6 * second).isLive == false)
    }

    @Test func aReplacedCertificateIsTheOneThatCounts() throws {
        let directory = ListenerDirectory()
        directory.replace(with: [record(0...1)])
        directory.replaceValidity(0...5000, of: "other")
        #expect(directory.all[0].validity == 0...1)
        directory.replaceValidity(0...5000, of: "edge")
        #expect(directory.all[0].validity == 0...5000)
    }
}
