"""The metrics of an Apus that serves, as Prometheus reads them: names and labels as the admin endpoint writes them,
numbers that grow with the time since the start. Stands in for a server where none runs; `FAMILIES`, and of a relay
`RELAY_FAMILIES`, are also what a real one is compared with.
"""

import http.server
import threading
import time

LOOPS = ("0", "1")
LISTENERS = ("edge", "admin", "control")
_BUCKETS = (0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0)

# Name, kind, and the label sets that it comes with.
_PER_LOOP = [{"loop": loop} for loop in LOOPS]
_PER_LISTENER = [{"listener": listener} for listener in LISTENERS]
_ALONE = [{}]


def _reasons(*names):
    return [{"reason": name} for name in names]


FAMILIES = {
    "apus_build_info": ("gauge", [{"version": "0.1.0"}]),
    "apus_start_time_seconds": ("gauge", _ALONE),
    "apus_ready": ("gauge", _ALONE),
    "apus_live": ("gauge", _ALONE),
    "apus_draining": ("gauge", _ALONE),
    "apus_connections_open": ("gauge", _PER_LISTENER),
    "apus_connections_max": ("gauge", _ALONE),
    "apus_connections_accepted_total": ("counter", _PER_LISTENER),
    "apus_connections_closed_total": ("counter", _reasons("peer", "idle_timeout", "stalled_write")),
    "apus_connections_refused_total": ("counter", _reasons("connection_limit", "handshake_limit")),
    "apus_messages_received_total": ("counter", _PER_LISTENER),
    "apus_received_bytes_total": ("counter", _PER_LISTENER),
    "apus_sent_bytes_total": ("counter", _PER_LISTENER),
    "apus_dropped_total": ("counter", _reasons("push_lane_full", "unknown_peer", "peer_backlog_full")),
    "apus_handshakes_total": ("counter", _ALONE),
    "apus_handshakes_resumed_total": ("counter", _ALONE),
    "apus_handshakes_refused_total": ("counter", _reasons("clock", "replay_table_full")),
    "apus_tls_failures_total": ("counter", _reasons("protocol")),
    "apus_loop_turns_total": ("counter", _PER_LOOP),
    "apus_loop_completions_total": ("counter", _PER_LOOP),
    "apus_loop_busy_seconds_total": ("counter", _PER_LOOP),
    "apus_loop_last_turn_age_seconds": ("gauge", _PER_LOOP),
    "apus_loop_starved_receives_total": ("counter", _PER_LOOP),
    "apus_loop_free_buffers": ("gauge", _PER_LOOP),
    "apus_loop_completion_queue_overflows_total": ("counter", _PER_LOOP),
    "apus_turn_duration_seconds": ("histogram", _PER_LOOP),
    "apus_wake_delay_seconds": ("histogram", _PER_LOOP),
    "apus_service_seconds": ("histogram", _ALONE),
    "apus_reloads_total": ("counter", [{"outcome": "applied"}, {"outcome": "refused"}]),
    "apus_log_records_dropped_total": ("counter", _ALONE),
    "apus_telemetry_exports_total": ("counter", [{"outcome": "sent"}, {"outcome": "failed"}]),
    "apus_certificate_expiry_seconds": ("gauge", [{"listener": "edge"}]),
    "process_resident_memory_bytes": ("gauge", _ALONE),
    "process_open_fds": ("gauge", _ALONE),
    "process_cpu_seconds_total": ("counter", _ALONE),
}

# Written only where a listener speaks relay: then all of them.
RELAY_FAMILIES = {
    "relay_peers": ("gauge", [{"transport": "ws"}]),
    "relay_peers_active": ("gauge", _ALONE),
    "relay_peers_idle": ("gauge", _ALONE),
    "relay_transfer_sent_bytes_total": ("counter", _ALONE),
    "relay_transfer_received_bytes_total": ("counter", _ALONE),
    "relay_peer_reconnections_total": ("counter", _ALONE),
    "relay_peer_authentication_time_milliseconds": ("histogram", _ALONE),
    "relay_peer_store_time_milliseconds": ("histogram", _ALONE),
    "apus_relay_peers": ("gauge", _ALONE),
    "apus_relay_logins_total": ("counter", _ALONE),
    "apus_relay_logins_refused_total": ("counter", _reasons("bad_signature", "expired")),
    "apus_relay_replacements_total": ("counter", _ALONE),
    "apus_relay_flapping_total": ("counter", _ALONE),
    "apus_relay_subscriptions_total": ("counter", _ALONE),
    "apus_relay_subscriptions_refused_total": ("counter", _ALONE),
    "apus_relay_news_told_total": ("counter", _ALONE),
    "apus_relay_notices_lost_total": ("counter", _ALONE),
    "apus_relay_messages_received_total": ("counter", _ALONE),
    "apus_relay_messages_delivered_total": ("counter", _ALONE),
    "apus_relay_messages_posted_total": ("counter", _ALONE),
    "apus_relay_messages_ignored_total": ("counter", _ALONE),
}

# Written only where there is something to say: a listener with a certificate, a collector to export to, a relay.
CONDITIONAL = {"apus_certificate_expiry_seconds", "apus_telemetry_exports_total"} | set(RELAY_FAMILIES)

_STEADY = {
    "apus_ready": 1,
    "apus_live": 1,
    "apus_draining": 0,
    "apus_build_info": 1,
    "apus_connections_max": 10000,
    "apus_connections_open": 120,
    "apus_loop_last_turn_age_seconds": 0.2,
    "apus_loop_free_buffers": 250,
    "process_resident_memory_bytes": 64 << 20,
    "process_open_fds": 140,
    "relay_peers": 100,
    "relay_peers_active": 40,
    "relay_peers_idle": 60,
    "apus_relay_peers": 100,
}
_PER_SECOND = {"apus_loop_busy_seconds_total": 0.25, "process_cpu_seconds_total": 0.5}
_OTHER_PER_SECOND = 10


def _labelled(name, labels):
    inside = ",".join(f'{key}="{value}"' for key, value in labels.items())
    return f"{name}{{{inside}}}" if inside else name


def _value(name, age, now):
    if name == "apus_start_time_seconds":
        return now - age
    if name == "apus_certificate_expiry_seconds":
        return now + 90 * 86400
    if name in _STEADY:
        return _STEADY[name]
    return age * _PER_SECOND.get(name, _OTHER_PER_SECOND)


def _histogram(name, labels, age):
    count = age * _OTHER_PER_SECOND
    for index, bound in enumerate(_BUCKETS, 1):
        yield f"{_labelled(name + '_bucket', labels | {'le': bound})} {count * index / len(_BUCKETS)}"
    yield f"{_labelled(name + '_bucket', labels | {'le': '+Inf'})} {count}"
    yield f"{_labelled(name + '_sum', labels)} {count * 0.002}"
    yield f"{_labelled(name + '_count', labels)} {count}"


def text(age, now):
    """One scrape of a server that is `age` seconds old at `now`, in seconds since 1970."""
    lines = []
    for name, (kind, label_sets) in (FAMILIES | RELAY_FAMILIES).items():
        lines += [f"# HELP {name} See docs/admin.md.", f"# TYPE {name} {kind}"]
        for labels in label_sets:
            if kind == "histogram":
                lines += _histogram(name, labels, age)
            else:
                lines.append(f"{_labelled(name, labels)} {_value(name, age, now)}")
    return "\n".join(lines) + "\n"


class _Scrape(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        # Old enough that a rate over a few scrapes is already there.
        body = text(time.monotonic() - self.server.started + 1000, time.time()).encode()
        self.send_response(200 if self.path == "/metrics" else 404)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *arguments):
        """Says nothing: each scrape would be a line."""


class StandIn:
    """Serves the exposition on a port of the loopback while the `with` lasts; `address` says where."""

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Scrape)
        self.server.started = time.monotonic()
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()
