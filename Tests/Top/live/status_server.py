"""Stands in for the admin endpoint: a /status whose counters grow by a known amount each second."""

import http.server
import json
import os
import pathlib
import socketserver
import threading
import time

MESSAGES_PER_SECOND = 1000
_BOUNDS = (0.0001, 0.001, 0.01)


class StatusServer:
    """On 127.0.0.1, or on a UNIX socket when it is given a path. `stop` and `start` again: the address stays."""

    def __init__(self, path: pathlib.Path | None = None):
        self._place: tuple[str, int] | str = str(path) if path else ("127.0.0.1", 0)
        self._started = time.monotonic() - 3600
        self._server: socketserver.BaseServer | None = None
        self.answers = 0
        self.start()

    @property
    def address(self) -> str:
        if isinstance(self._place, str):
            return f"unix:{self._place}"
        return f"{self._place[0]}:{self._place[1]}"

    def start(self) -> None:
        kind = _UnixServer if isinstance(self._place, str) else _TcpServer
        if isinstance(self._place, str) and os.path.exists(self._place):
            os.unlink(self._place)
        server = kind(self._place, _handler(self))
        if not isinstance(self._place, str):
            self._place = server.server_address[:2]
        self._server = server
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def status(self) -> dict:
        self.answers += 1
        age = time.monotonic() - self._started
        messages = age * MESSAGES_PER_SECOND
        return {
            "version": "9.8.7",
            "pid": 4711,
            "started_unix_seconds": 1782864000,
            "uptime_seconds": age,
            "state": "serving",
            "live": True,
            "ready": True,
            "reasons": [],
            "connections": {"open": 120, "max": 10000},
            "listeners": [_listener("edge", messages), _listener("spare", 0)],
            "loops": [_loop(number, age) for number in range(4)],
            "totals": {
                "accepted": age * 10,
                "messages": messages,
                "received_bytes": messages * 64,
                "sent_bytes": messages * 64,
                "handshakes": age * 10,
                "handshakes_resumed": age * 5,
            },
            "closes": {"peer_closed": int(age * 10)},
            "drops": {"queue_full": int(age)},
            "service_seconds": _service(messages),
            "top": {"by_bytes": [_peer("10.0.0.1:1111", age)], "by_queue": [_peer("10.0.0.2:2222", age)]},
            "a_later_version": {"says": ["more"]},
        }


def _listener(name: str, messages: float) -> dict:
    return {
        "name": name,
        "address": "127.0.0.1:9000",
        "protocol": "packet",
        "transport": "tcp",
        "security": "handshake",
        "open": 60,
        "accepted": 600,
        "messages": messages,
        "received_bytes": messages * 64,
        "sent_bytes": messages * 64,
    }


def _loop(number: int, age: float) -> dict:
    return {
        "loop": number,
        "connections": 30,
        "turns": age * 200,
        "completions": age * 600,
        "busy_seconds": age * 0.25 * number,
        "last_turn_age_seconds": 0.001,
        "starved_receives": 0,
        "free_buffers": 256,
        "completion_queue_overflows": 0,
    }


def _service(messages: float) -> dict:
    buckets = [{"le": bound, "count": messages * (1 - 0.1**index)} for index, bound in enumerate(_BOUNDS, 1)]
    return {"count": messages, "sum": messages / 1000, "buckets": [*buckets, {"le": "+Inf", "count": messages}]}


def _peer(name: str, age: float) -> dict:
    return {
        "listener": "edge",
        "peer": name,
        "age_seconds": age,
        "received_bytes": age * 100,
        "sent_bytes": age * 100,
        "queued_bytes": 4096,
    }


class _TcpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _UnixServer(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True


def _handler(status_server: StatusServer) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            code = 200 if self.path.startswith("/status") else 404
            body = json.dumps(status_server.status()).encode() if code == 200 else b""
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def address_string(self) -> str:
            return "-"

        def log_message(self, *_):
            pass

    return Handler
