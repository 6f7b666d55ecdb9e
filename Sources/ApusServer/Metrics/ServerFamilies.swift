// A report as metrics: names, labels and meanings. What is here is a promise to dashboards and alerts (docs/admin.md).

import ApusReactor
import ApusSecurity

extension ServerReport {
    /// Every name, also of what is zero: a series that begins with its first event shows no rate for it.
    package var families: [MetricFamily] {
        serverFamilies + connectionFamilies + trafficFamilies + securityFamilies + loopFamilies + processFamilies
            + (isRelay ? totals.relay.families : [])
    }

    private var serverFamilies: [MetricFamily] {
        [
            MetricFamily(
                "apus_build_info", .gauge, "One, with the version of this server.",
                [MetricSample(.count(1), MetricLabel("version", version))]),
            MetricFamily(
                "apus_start_time_seconds", .gauge, "When the server started, in seconds since 1970.",
                .number(startedUnixSeconds)),
            MetricFamily("apus_live", .gauge, "1 while every loop turns, otherwise 0.", .flag(health.isLive)),
            MetricFamily("apus_ready", .gauge, "1 while new work is welcome, otherwise 0.", .flag(health.isReady)),
            MetricFamily("apus_draining", .gauge, "1 while the server drains, otherwise 0.", .flag(isDraining)),
            MetricFamily(
                "apus_reloads_total", .counter, "Reloads of the configuration, by what became of them.",
                [
                    MetricSample(.count(reloads.applied), MetricLabel("outcome", "applied")),
                    MetricSample(.count(reloads.refused), MetricLabel("outcome", "refused")),
                ]),
            MetricFamily(
                "apus_log_records_dropped_total", .counter, "Log records dropped because the log's queue was full.",
                .count(logRecordsDropped)),
        ]
    }

    private var connectionFamilies: [MetricFamily] {
        [
            perListener("apus_connections_open", .gauge, "Connections open now, by listener.") { $0.open },
            MetricFamily(
                "apus_connections_max", .gauge,
                "Connections that may be open at once, those of admin listeners not counted.",
                .count(UInt64(connectionsMax))),
            perListener("apus_connections_accepted_total", .counter, "Connections accepted, by listener.") {
                $0.accepted
            },
            byReason(
                "apus_connections_closed_total", "Connections closed, by the one reason for which.",
                CloseReason.allCases.map { ($0.label, totals.closed[$0]) }),
            byReason(
                "apus_connections_refused_total", "Connections closed as soon as they were accepted, by reason.",
                RefusalReason.allCases.map { ($0.label, totals.refused[$0]) }),
        ]
    }

    private var trafficFamilies: [MetricFamily] {
        [
            perListener("apus_messages_received_total", .counter, "Messages received, by listener.") { $0.messages },
            perListener("apus_received_bytes_total", .counter, "Bytes received, by listener.") { $0.bytesReceived },
            perListener("apus_sent_bytes_total", .counter, "Bytes sent, by listener.") { $0.bytesSent },
            byReason(
                "apus_dropped_total", "Replies, pushes and relayed messages that were not delivered, by reason.",
                DropReason.allCases.map { ($0.label, totals.dropped[$0]) }),
            MetricFamily(
                "apus_service_seconds", .histogram,
                "From the end of the wait that brought a message to the end of that turn, once a message.",
                .histogram(serviceTimes)),
        ]
    }

    private var securityFamilies: [MetricFamily] {
        [
            MetricFamily(
                "apus_handshakes_total", .counter, "Connections that agreed on keys.", .count(totals.handshakes)),
            MetricFamily(
                "apus_handshakes_resumed_total", .counter, "Those of them that resumed a TLS session.",
                .count(totals.handshakesResumed)),
            byReason(
                "apus_handshakes_refused_total", "NPRO handshakes refused, by reason.",
                HandshakeRefusal.allCases.map { ($0.label, totals.handshakeRefusals[$0.label]) }),
            byReason(
                "apus_tls_failures_total", "TLS connections that failed, by reason.",
                TLSFailure.kindLabels.map { ($0, totals.tlsFailures[$0]) }),
            MetricFamily(
                "apus_certificate_expiry_seconds", .gauge,
                "The last second in which a listener's certificate is good, in seconds since 1970.",
                listeners.compactMap { listener in
                    listener.record.validity.map {
                        MetricSample(.number(Double($0.upperBound)), MetricLabel("listener", listener.record.name))
                    }
                }),
        ]
    }
}

// MARK: Loops and the process

extension ServerReport {
    private var loopFamilies: [MetricFamily] {
        [
            perLoop("apus_loop_turns_total", .counter, "Turns of a loop.") { .count($0.turns) },
            perLoop("apus_loop_completions_total", .counter, "Completions a loop took in.") { .count($0.completions) },
            perLoop(
                "apus_loop_busy_seconds_total", .counter,
                "Processor time of a loop's thread, the kernel's work for it included."
            ) { .number($0.busySeconds) },
            perLoop("apus_loop_last_turn_age_seconds", .gauge, "How long ago a loop's last turn began.") {
                .number($0.lastTurnAgeSeconds)
            },
            perLoop(
                "apus_loop_starved_receives_total", .counter, "Receives that found no free buffer (ENOBUFS)."
            ) { .count($0.starvedReceives) },
            perLoop("apus_loop_free_buffers", .gauge, "Receive buffers that the last turn did not need.") {
                .count($0.freeBuffers)
            },
            perLoop(
                "apus_loop_completion_queue_overflows_total", .counter,
                "Completions that did not fit a loop's queue; the kernel kept them."
            ) { .count($0.completionQueueOverflows) },
            perLoop("apus_turn_duration_seconds", .histogram, "How long the turns of a loop took.") {
                .histogram($0.turnDurations)
            },
            perLoop(
                "apus_wake_delay_seconds", .histogram, "How late a loop was woken, where it slept until a set time."
            ) { .histogram($0.wakeDelays) },
        ]
    }

    /// Under the names that every exporter uses. What the system does not tell is left out.
    private var processFamilies: [MetricFamily] {
        [
            MetricFamily(
                "process_resident_memory_bytes", .gauge, "Resident memory size in bytes.",
                residentByteCount().map { [MetricSample(.count(UInt64($0)))] } ?? []),
            MetricFamily(
                "process_open_fds", .gauge, "Number of open file descriptors.",
                openDescriptorCount().map { [MetricSample(.count(UInt64($0)))] } ?? []),
            MetricFamily(
                "process_cpu_seconds_total", .counter, "Total user and system CPU time spent in seconds.",
                .number(Double(processorTime()) / 1e9)),
        ]
    }
}

// MARK: Shapes

extension ServerReport {
    private func perListener(
        _ name: String, _ kind: MetricFamily.Kind, _ meaning: String, _ value: (ListenerReport) -> UInt64
    ) -> MetricFamily {
        MetricFamily(
            name, kind, meaning,
            listeners.map { MetricSample(.count(value($0)), MetricLabel("listener", $0.record.name)) })
    }

    private func perLoop(
        _ name: String, _ kind: MetricFamily.Kind, _ meaning: String, _ value: (LoopReport) -> MetricValue
    ) -> MetricFamily {
        MetricFamily(
            name, kind, meaning,
            loops.enumerated().map { MetricSample(value($1), MetricLabel("loop", "\($0)")) })
    }

    private func byReason(_ name: String, _ meaning: String, _ counts: [(String, UInt64?)]) -> MetricFamily {
        MetricFamily(
            name, .counter, meaning, counts.map { MetricSample(.count($1 ?? 0), MetricLabel("reason", $0)) })
    }
}

extension MetricValue {
    static func flag(_ isSet: Bool) -> MetricValue { .count(isSet ? 1 : 0) }
}
