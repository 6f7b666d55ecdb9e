"""The Grafana dashboard, as one table of rows and panels; monitoring/dashboard.json is what this prints.

    dashboard                      print the JSON

Every panel asks the variables `job`, `instance` and, where it fits, `listener`. The operator's questions come first: is
it there, is it ready, how much of what it may take is taken; then traffic, time, loops, trouble.
"""

import json
from typing import NamedTuple

_WIDTH = 24
_HEIGHT = 7
_WHO = '{job=~"$job",instance=~"$instance"}'
_WHERE = '{job=~"$job",instance=~"$instance",listener=~"$listener"}'
# max_connections does not count those of the admin listeners, which have these names unless somebody says otherwise.
_ADMIN = "admin|control|(metrics|health)(-ipv6)?"
_OPEN = f'sum by (instance) (apus_connections_open{{job=~"$job",instance=~"$instance",listener!~"{_ADMIN}"}})'


class Panel(NamedTuple):
    title: str
    queries: tuple  # (expression, legend)
    unit: str = "short"
    width: int = 8
    kind: str = "timeseries"
    description: str = ""
    thresholds: tuple = ()  # (value, colour); below the first it is green


def _rate(name, selector=_WHO):
    return f"rate({name}{selector}[$__rate_interval])"


def _sum(name, by, selector=_WHO):
    return f"sum by ({by}) ({_rate(name, selector)})"


def _quantile(share, name, by="instance"):
    return f"histogram_quantile({share}, sum by ({by}, le) ({_rate(name + '_bucket')}))"


def _spread(name, what=""):
    return tuple((_quantile(share, name), f"{{{{instance}}}} {what}p{label}") for share, label in _QUANTILES)


# Of apus_dropped_total: what a relay did not deliver.
_RELAYED = '{job=~"$job",instance=~"$instance",reason=~"unknown_peer|peer_.*|relay_budget"}'
_QUANTILES = ((0.5, "50"), (0.99, "99"), (0.999, "99.9"))

_ROWS = {
    "Now": (
        Panel("Up", ((f"min(up{_WHO})", ""),), width=3, kind="stat", thresholds=((0, "red"), (1, "green"))),
        Panel(
            "Ready",
            ((f"min(apus_ready{_WHO})", ""),),
            width=3,
            kind="stat",
            description="0: a listener is not bound, a certificate is not valid, or it drains. /readyz says which.",
            thresholds=((0, "red"), (1, "green")),
        ),
        Panel(
            "Live",
            ((f"min(apus_live{_WHO})", ""),),
            width=3,
            kind="stat",
            description="0: a loop has not ticked lately.",
            thresholds=((0, "red"), (1, "green")),
        ),
        Panel("Draining", ((f"sum(apus_draining{_WHO})", ""),), width=3, kind="stat", thresholds=((1, "yellow"),)),
        Panel(
            "Connections taken",
            ((f"max({_OPEN} / on (instance) apus_connections_max{_WHO})", ""),),
            unit="percentunit",
            width=4,
            kind="gauge",
            description="Of max_connections, on the fullest instance.",
            thresholds=((0.7, "yellow"), (0.85, "red")),
        ),
        Panel(
            "Certificate valid for",
            ((f"min(apus_certificate_expiry_seconds{_WHERE} - time())", ""),),
            unit="s",
            width=4,
            kind="stat",
            thresholds=((0, "red"), (2 * 86400, "yellow"), (14 * 86400, "green")),
        ),
        Panel(
            "Version and uptime",
            ((f"max by (version) (time() - apus_start_time_seconds{_WHO} + on (instance) group_left (version) "
              f"0 * apus_build_info{_WHO})", "{{version}}"),),
            unit="s",
            width=4,
            kind="stat",
        ),
    ),
    "Traffic": (
        Panel(
            "Messages received",
            ((_sum("apus_messages_received_total", "instance, listener", _WHERE), "{{instance}} {{listener}}"),),
            unit="ops",
        ),
        Panel(
            "Bytes",
            (
                (_sum("apus_received_bytes_total", "instance", _WHERE), "{{instance}} received"),
                ("-" + _sum("apus_sent_bytes_total", "instance", _WHERE), "{{instance}} sent"),
            ),
            unit="Bps",
            description="Sent bytes are drawn downwards.",
        ),
        Panel(
            "Connections open",
            (
                (f"sum by (instance, listener) (apus_connections_open{_WHERE})", "{{instance}} {{listener}}"),
                (f"apus_connections_max{_WHO}", "{{instance}} at most"),
            ),
        ),
        Panel(
            "Connections accepted",
            ((_sum("apus_connections_accepted_total", "instance, listener", _WHERE), "{{instance}} {{listener}}"),),
            unit="ops",
        ),
        Panel(
            "Connections closed, by reason",
            ((_sum("apus_connections_closed_total", "reason"), "{{reason}}"),),
            unit="ops",
        ),
        Panel(
            "Handshakes",
            (
                (_sum("apus_handshakes_total", "instance"), "{{instance}}"),
                (_sum("apus_handshakes_resumed_total", "instance"), "{{instance}} resumed"),
            ),
            unit="ops",
        ),
    ),
    "Time": (
        Panel(
            "Service",
            _spread("apus_service_seconds"),
            unit="s",
            description="From the wait that brought a message's bytes to the end of that turn, once per message.",
        ),
        Panel("Wake delay", _spread("apus_wake_delay_seconds"), unit="s"),
        Panel("Turn", _spread("apus_turn_duration_seconds"), unit="s"),
    ),
    "Relay": (
        Panel(
            "Peers",
            (
                (f"apus_relay_peers{_WHO}", "{{instance}}"),
                (f"relay_peers_active{_WHO}", "{{instance}} that send"),
            ),
            description="Empty, as this whole row, where no listener speaks relay.",
        ),
        Panel(
            "Logins",
            (
                (_sum("apus_relay_logins_total", "instance"), "{{instance}}"),
                ("-" + _sum("apus_relay_logins_refused_total", "reason"), "refused: {{reason}}"),
            ),
            unit="ops",
            description="Those that were refused are drawn downwards.",
        ),
        Panel(
            "Login",
            _spread("relay_peer_authentication_time_milliseconds")
            + ((_quantile(0.99, "relay_peer_store_time_milliseconds"), "{{instance}} until it is found, p99"),),
            unit="ms",
            description="From accept to AuthResponse, the client's part included; clients give up after 8 s.",
        ),
        Panel(
            "Messages between peers",
            (
                (_sum("apus_relay_messages_received_total", "instance"), "{{instance}} received"),
                ("-" + _sum("apus_relay_messages_delivered_total", "instance"), "{{instance}} delivered"),
                (_sum("apus_relay_messages_posted_total", "instance"), "{{instance}} from loop to loop"),
            ),
            unit="ops",
            description="Delivered ones are drawn downwards.",
        ),
        Panel(
            "Bytes between peers",
            (
                (_sum("relay_transfer_received_bytes_total", "instance"), "{{instance}} received"),
                ("-" + _sum("relay_transfer_sent_bytes_total", "instance"), "{{instance}} delivered"),
            ),
            unit="Bps",
            description="Headers of the relay's protocol counted, those of WebSocket and TLS not.",
        ),
        Panel(
            "Messages not delivered",
            ((_sum("apus_dropped_total", "reason", _RELAYED), "{{reason}}"),),
            unit="ops",
            description="unknown_peer: sent to who is not here. peer_backlog_*: to who reads too slowly.",
        ),
        Panel(
            "Taken over",
            (
                (_sum("apus_relay_replacements_total", "instance"), "{{instance}}"),
                (_sum("apus_relay_flapping_total", "instance"), "{{instance}} again and again"),
            ),
            unit="ops",
            description="Again and again: two hosts have one key.",
        ),
        Panel(
            "Interest",
            (
                (_sum("apus_relay_subscriptions_total", "instance"), "{{instance}} asked for"),
                (_sum("apus_relay_news_told_total", "instance"), "{{instance}} told"),
            ),
            unit="ops",
            description="Ids of peers that others want to know of, and that they were told of.",
        ),
        Panel(
            "Without effect",
            (
                (_sum("apus_relay_messages_ignored_total", "instance"), "{{instance}} messages"),
                (_sum("apus_relay_subscriptions_refused_total", "instance"), "{{instance}} subscriptions"),
                (_sum("apus_relay_notices_lost_total", "instance"), "{{instance}} notices between loops"),
            ),
            unit="ops",
        ),
    ),
    "Loops": (
        Panel(
            "Busy",
            ((_sum("apus_loop_busy_seconds_total", "instance, loop"), "{{instance}} loop {{loop}}"),),
            unit="percentunit",
            description="1 is a core. Loops that differ for long share their connections badly.",
        ),
        Panel(
            "Completions per turn",
            (
                (
                    f"{_sum('apus_loop_completions_total', 'instance, loop')}"
                    f" / {_sum('apus_loop_turns_total', 'instance, loop')}",
                    "{{instance}} loop {{loop}}",
                ),
            ),
            description="How much of its work a loop does per system call.",
        ),
        Panel(
            "Since the last turn",
            ((f"max by (instance, loop) (apus_loop_last_turn_age_seconds{_WHO})", "{{instance}} loop {{loop}}"),),
            unit="s",
            description="An idle loop ticks once a second.",
        ),
        Panel(
            "Free receive buffers",
            ((f"min by (instance, loop) (apus_loop_free_buffers{_WHO})", "{{instance}} loop {{loop}}"),),
        ),
        Panel(
            "Receives without a buffer",
            ((_sum("apus_loop_starved_receives_total", "instance, loop"), "{{instance}} loop {{loop}}"),),
            unit="ops",
        ),
        Panel(
            "Completion queue overflows",
            ((_sum("apus_loop_completion_queue_overflows_total", "instance, loop"), "{{instance}} loop {{loop}}"),),
            unit="ops",
        ),
    ),
    "Trouble": (
        Panel("Refused", ((_sum("apus_connections_refused_total", "reason"), "{{reason}}"),), unit="ops"),
        Panel("Dropped", ((_sum("apus_dropped_total", "reason"), "{{reason}}"),), unit="ops"),
        Panel(
            "Handshakes refused, TLS failures",
            (
                (_sum("apus_handshakes_refused_total", "reason"), "{{reason}}"),
                (_sum("apus_tls_failures_total", "reason"), "TLS {{reason}}"),
            ),
            unit="ops",
        ),
        Panel(
            "Reloads",
            ((f"sum by (instance, outcome) (increase(apus_reloads_total{_WHO}[$__rate_interval]))",
              "{{instance}} {{outcome}}"),),
        ),
        Panel(
            "Log records dropped",
            ((_sum("apus_log_records_dropped_total", "instance"), "{{instance}}"),),
            unit="ops",
        ),
        Panel(
            "Telemetry exports",
            ((_sum("apus_telemetry_exports_total", "instance, outcome"), "{{instance}} {{outcome}}"),),
            unit="ops",
            description="To an OTLP collector, where one is configured.",
        ),
    ),
    "Process": (
        Panel("Processor", ((_sum("process_cpu_seconds_total", "instance"), "{{instance}}"),), unit="percentunit"),
        Panel("Resident memory", ((f"process_resident_memory_bytes{_WHO}", "{{instance}}"),), unit="bytes"),
        Panel("Descriptors", ((f"process_open_fds{_WHO}", "{{instance}}"),)),
    ),
}

_SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def _panel(panel, number, x, y):
    steps = [{"color": "green", "value": None}] + [{"color": colour, "value": at} for at, colour in panel.thresholds]
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": _HEIGHT if panel.kind == "timeseries" else 4},
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _SOURCE,
                "expr": expression,
                "legendFormat": legend or "__auto",
                "instant": panel.kind != "timeseries",
                "range": panel.kind == "timeseries",
            }
            for index, (expression, legend) in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}},
            "overrides": [],
        },
        "options": _OPTIONS[panel.kind],
    }


_OPTIONS = {
    "timeseries": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
    "stat": {"reduceOptions": {"calcs": ["lastNotNull"]}, "colorMode": "value", "graphMode": "none"},
    "gauge": {"reduceOptions": {"calcs": ["lastNotNull"]}},
}


def _panels():
    drawn, y = [], 0
    for title, panels in _ROWS.items():
        row = {"x": 0, "y": y, "w": _WIDTH, "h": 1}
        drawn.append({"id": len(drawn) + 1, "type": "row", "title": title, "gridPos": row, "panels": []})
        y += 1
        x = height = 0
        for panel in panels:
            if x + panel.width > _WIDTH:
                x, y = 0, y + height
            drawn.append(_panel(panel, len(drawn) + 1, x, y))
            x, height = x + panel.width, drawn[-1]["gridPos"]["h"]
        y += height
    return drawn


def _variable(name, label, query):
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": "variable"},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
    }


def dashboard():
    return {
        "uid": "apus",
        "title": "Apus",
        "description": "An edge relay on io_uring.",
        "tags": ["apus"],
        "schemaVersion": 38,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "15s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"},
                _variable("job", "Job", "label_values(apus_build_info, job)"),
                _variable("instance", "Instance", 'label_values(apus_build_info{job=~"$job"}, instance)'),
                _variable("listener", "Listener", f"label_values(apus_connections_open{_WHO}, listener)"),
            ]
        },
        "annotations": {"list": []},
        "links": [],
        "panels": _panels(),
    }


def printed():
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    print(printed(), end="")
