// What a relay has done so far, over all loops, as its figures are told: once under the names that dashboards of
// NetBird's and openZro's relays have (relay.md §3.7), once under ours.

/// A value, put together when somebody asks. Bytes are those of Transport messages, their 38 bytes of header counted.
package struct RelayReport: Sendable {
    /// Peers that are connected and have their AuthResponse.
    package var peers: UInt64 = 0
    /// Those of them that have sent Transport within 30 s.
    package var peersActive: UInt64 = 0
    /// Messages and bytes that came from peers.
    package var messagesReceived: UInt64 = 0
    package var bytesReceived: UInt64 = 0
    /// Messages and bytes that were written for peers.
    package var messagesSent: UInt64 = 0
    package var bytesSent: UInt64 = 0
    /// Peers that have logged in.
    package var logins: UInt64 = 0
    /// Logins that were refused, by reason; every reason there is, also those that never occurred.
    package var loginsRefused: [(reason: String, count: UInt64)] = []
    /// Messages that reached nobody, by reason; every reason there is.
    package var dropped: [(reason: String, count: UInt64)] = []
    /// Peers whose place another connection of the same id has taken.
    package var replacements: UInt64 = 0
    /// Ids that were taken over so often that two hosts must have them.
    package var flapping: UInt64 = 0
    /// Bytes of messages that wait for peers beyond their connections' buffers.
    package var backlogBytes: UInt64 = 0
    /// Interests of peers in others.
    package var subscriptions: UInt64 = 0
    /// From accept to AuthResponse.
    package var loginTimes = HistogramSnapshot.emptyMilliseconds
    /// From a good Auth to the place being taken and told.
    package var placingTimes = HistogramSnapshot.emptyMilliseconds

    package init() {}


extension RelayReport {
    /// Theirs, then ours.
    package var families: [MetricFamily] { relativeFamilies + ownFamilies }

    /// Active and idle peers add up to the peers at all times: one is worked out from the others.
    private var relativeFamilies: [MetricFamily] {
        let active = min(peersActive, peers)
        return [
            MetricFamily(
                "relay_peers", .gauge, "Peers that are connected.",
                [MetricSample(.count(peers), MetricLabel("transport", "ws"))]),
            MetricFamily("relay_peers_active", .gauge, "Peers that have sent data within 30 s.", .count(active)),
            MetricFamily("relay_peers_idle", .gauge, "Peers that have not.", .count(peers - active)),
            MetricFamily(
                "relay_transfer_sent_bytes_total", .counter, "Bytes of messages written for peers.", .count(bytesSent)),
            MetricFamily(
                "relay_transfer_received_bytes_total", .counter, "Bytes of messages read from peers.",
                .count(bytesReceived)),
            MetricFamily(
                "relay_peer_reconnections_total", .counter, "Peers that were replaced by one of the same id.",
                .count(replacements)),
            MetricFamily(
                "relay_peer_authentication_time_milliseconds", .histogram, "From accept to a peer's AuthResponse.",
                .histogram(loginTimes)),
            MetricFamily(
                "relay_peer_store_time_milliseconds", .histogram, "From a good token to the peer's place.",
                .histogram(placingTimes)),
        ]
    }

    private var ownFamilies: [MetricFamily] {
        [
            MetricFamily("apus_relay_peers", .gauge, "Peers that are connected.", .count(peers)),
            MetricFamily(
                "apus_relay_messages_received_total", .counter, "Messages that peers sent to peers.",
                .count(messagesReceived)),
            MetricFamily(
                "apus_relay_messages_sent_total", .counter, "Messages that were written for peers.",
                .count(messagesSent)),
            byReason("apus_relay_messages_dropped_total", "Messages that reached nobody, by reason.", dropped),
            MetricFamily("apus_relay_logins_total", .counter, "Peers that have logged in.", .count(logins)),
            byReason("apus_relay_logins_refused_total", "Logins that were refused, by reason.", loginsRefused),
            MetricFamily(
                "apus_relay_replacements_total", .counter, "Peers that were replaced by one of the same id.",
                .count(replacements)),
            MetricFamily(
                "apus_relay_flapping_total", .counter, "Ids that several hosts took from one another in turn.",
                .count(flapping)),
            MetricFamily(
                "apus_relay_backlog_bytes", .gauge, "Bytes of messages that wait for slow peers.",
                .count(backlogBytes)),
            MetricFamily(
                "apus_relay_subscriptions", .gauge, "Interests of peers in whether others are there.",
                .count(subscriptions)),
        ]
    }

    private func byReason(
        _ name: String, _ meaning: String, _ counts: [(reason: String, count: UInt64)]
    ) -> MetricFamily {
        MetricFamily(
            name, .counter, meaning, counts.map { MetricSample(.count($0.count), MetricLabel("reason", $0.reason)) })
    }

    /// As a member of `/status`; reasons that never occurred are absent.
    func write(to json: inout JSONText) {
        json.object("relay") { json in
            json.value("peers", peers)
            json.value("peers_active", min(peersActive, peers))
            json.value("messages_received", messagesReceived)
            json.value("received_bytes", bytesReceived)
            json.value("messages_sent", messagesSent)
            json.value("sent_bytes", bytesSent)
            json.value("logins", logins)
            json.value("replacements", replacements)
            json.value("flapping", flapping)
            json.value("backlog_bytes", backlogBytes)
            json.value("subscriptions", subscriptions)
            write("logins_refused", loginsRefused, to: &json)
            write("dropped", dropped, to: &json)
        }
    }

    private func write(_ key: String, _ counts: [(reason: String, count: UInt64)], to json: inout JSONText) {
        json.object(key) { json in
            for (reason, count) in counts where count > 0 { json.value(reason, count) }
        }
    }
}
