"""The client that does nothing wrong: a request, its reply, the next. It must be served whatever others do."""

import contextlib
import math
import socket
import threading
import time

from . import wire
from .report import require

PAUSE_SECONDS = 0.005
PATIENCE_SECONDS = 20.0


def connect(address, source="127.0.0.1", seconds=PATIENCE_SECONDS):
    stream = socket.create_connection(address, timeout=seconds, source_address=(source, 0))
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


def ask(stream, text=b"honest"):
    """One Echo and its reply; keep-alives in between are answered."""
    request = wire.echo(text)
    stream.sendall(request)
    while True:
        reply = read_packet(stream)
        if reply == wire.PING:
            stream.sendall(wire.PONG)
            continue
        require(reply == request, f"the reply to an Echo is {reply[:40]!r}")
        return


def read_packet(stream):
    header = read(stream, wire.HEADER_BYTE_COUNT)
    return header + read(stream, int.from_bytes(header[5:], "big"))


def read(stream, byte_count):
    found = b""
    while len(found) < byte_count:
        part = stream.recv(byte_count - len(found))
        require(part, "the server has closed an honest client's connection")
        found += part
    return found


class Latencies(list):
    """Seconds, as they came."""

    def quantile(self, share):
        ordered = sorted(self)
        return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else math.nan

    def __str__(self):
        p50, p99 = (1000 * self.quantile(share) for share in (0.5, 0.99))
        return f"{len(self)} requests, p50 {p50:.2f} ms, p99 {p99:.2f} ms, longest {1000 * max(self, default=0):.0f} ms"


@contextlib.contextmanager
def served(address, source="127.0.0.1"):
    """An honest client on a thread of its own, connected before the block begins; gives its latencies.

    Fails in the end if it was not served all along."""
    latencies, failures, done = Latencies(), [], threading.Event()
    stream = connect(address, source)
    ask(stream)

    def talk():
        try:
            while not done.is_set():
                started = time.monotonic()
                ask(stream)
                latencies.append(time.monotonic() - started)
                time.sleep(PAUSE_SECONDS)
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield latencies
    finally:
        done.set()
        thread.join()
        stream.close()
    require(not failures, f"the honest client failed after {len(latencies)} replies: {failures}")
    require(latencies, "the honest client had no reply at all")
