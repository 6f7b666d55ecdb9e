// What a relay has done, as metrics: once under the names that dashboards of NetBird's and openZro's relays have
// (relay.md §3.7), once under ours. Bytes are those of Transport messages, their 38 bytes of header counted.

extension RelayMetrics {
    var families: [MetricFamily] { relativeFamilies + peerFamilies + messageFamilies }

    /// Active and idle peers add up to the peers at all times: one is worked out from the others.
    private var relativeFamilies: [MetricFamily] {
        [
            MetricFamily(
                "relay_peers", .gauge, "Peers that are connected.",
                [MetricSample(.count(peers), MetricLabel("transport", "ws"))]),
            MetricFamily("relay_peers_active", .gauge, "Peers that have sent data within 30 s.", .count(peersActive)),
            MetricFamily("relay_peers_idle", .gauge, "Peers that have not.", .count(peers - peersActive)),
            MetricFamily(
                "relay_transfer_sent_bytes_total", .counter, "Bytes of messages that were put behind connections.",
                .count(bytesDelivered)),
            MetricFamily(
                "relay_transfer_received_bytes_total", .counter, "Bytes of messages that peers sent.",
                .count(bytesReceived)),
            MetricFamily(
                "relay_peer_reconnections_total", .counter, "Peers that were replaced by one of the same id.",
                .count(replacements)),
            MetricFamily(
                "relay_peer_authentication_time_milliseconds", .histogram, "From accept to a peer's AuthResponse.",
                .histogram(authenticationTimes)),
            MetricFamily(
                "relay_peer_store_time_milliseconds", .histogram, "From there until others find the peer.",
                .histogram(placingTimes)),
        ]
    }

    private var peerFamilies: [MetricFamily] {
        [
            MetricFamily("apus_relay_peers", .gauge, "Peers that are connected.", .count(peers)),
            MetricFamily("apus_relay_logins_total", .counter, "Peers that have logged in.", .count(logins)),
            MetricFamily(
                "apus_relay_logins_refused_total", .counter, "Logins that were refused, by reason.",
                RelayCounters.refusalLabels.map { label in
                    MetricSample(.count(loginsRefused[label] ?? 0), MetricLabel("reason", label))
                }),
            MetricFamily(
                "apus_relay_replacements_total", .counter, "Peers that were replaced by one of the same id.",
                .count(replacements)),
            MetricFamily(
                "apus_relay_flapping_total", .counter, "Ids that were taken over often: two hosts have one key.",
                .count(flappings)),
            MetricFamily(
                "apus_relay_subscriptions_total", .counter, "Ids that peers asked to be told about.",
                .count(subscriptions)),
            MetricFamily(
                "apus_relay_subscriptions_refused_total", .counter, "Those of them that were beyond a limit.",
                .count(subscriptionsRefused)),
            MetricFamily(
                "apus_relay_news_told_total", .counter, "Ids that peers were told of, online or offline.",
                .count(newsTold)),
            MetricFamily(
                "apus_relay_notices_lost_total", .counter, "What a loop did not hear about peers.",
                .count(noticesLost)),
        ]
    }

    private var messageFamilies: [MetricFamily] {
        [
            MetricFamily(
                "apus_relay_messages_received_total", .counter, "Messages that peers sent to peers.",
                .count(messagesReceived)),
            MetricFamily(
                "apus_relay_messages_delivered_total", .counter, "Messages that were put behind connections.",
                .count(messagesDelivered)),
            MetricFamily(
                "apus_relay_messages_posted_total", .counter, "Messages that went from one loop to another.",
                .count(messagesPosted)),
            MetricFamily(
                "apus_relay_messages_ignored_total", .counter, "Messages without effect.", .count(messagesIgnored)),
        ]
    }

    /// As a member of `/status`; reasons that never occurred are absent.
    func write(to json: inout JSONText) {
        json.object("relay") { json in
            json.value("peers", peers)
            json.value("peers_active", peersActive)
            json.value("logins", logins)
            json.value("replacements", replacements)
            json.value("flapping", flappings)
            json.value("subscriptions", subscriptions)
            json.value("messages_received", messagesReceived)
            json.value("received_bytes", bytesReceived)
            json.value("messages_delivered", messagesDelivered)
            json.value("delivered_bytes", bytesDelivered)
            json.object("logins_refused") { json in
                for (reason, count) in loginsRefused.sorted(by: { $0.key < $1.key }) { json.value(reason, count) }
            }
        }
    }
}
