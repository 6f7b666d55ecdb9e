"""A peer that never reads, a peer that floods it, and watching what the relay holds meanwhile."""

import contextlib
import pathlib
import resource
import threading
import time

from . import wire
from .peer import Peer
from .server import SECRET

RECEIVE_BUFFER_BYTES, FLOOD_BYTES, BATCH_COUNT = 4096, 1200, 10
SAMPLING_SECONDS = 0.02


@contextlib.contextmanager
def flood(relay, rate, *, is_stalled):
    """So many messages a second, for a peer that never reads, or for nobody: to the sender it is the same work."""
    with contextlib.ExitStack() as stack:
        flooder = stack.enter_context(Peer.login(relay.address, "flooder", SECRET))
        if is_stalled:
            stack.enter_context(Peer.login(relay.address, "stalled", SECRET, receive_buffer=RECEIVE_BUFFER_BYTES))
        ended = threading.Event()
        sender = threading.Thread(target=_flood, args=(flooder, rate, ended))
        sender.start()
        try:
            yield
        finally:
            ended.set()
            sender.join()


def _flood(flooder, rate, ended):
    """On time on the whole: what was late is caught up with. Until the relay ends it, which it has no reason to."""
    batch = wire.frame(wire.transport(wire.peer_id("stalled"), bytes(FLOOD_BYTES))) * BATCH_COUNT
    due = time.monotonic()
    while not ended.wait(max(0, due - time.monotonic())):
        flooder.stream.sendall(batch)
        due += BATCH_COUNT / rate


class Peaks:
    """The most that the server had resident, and that all TCP sockets of this network held, while the `with` lasted."""

    def __init__(self, relay):
        self._relay, self._ended = relay, threading.Event()
        self.resident_bytes = self.kernel_bytes = 0

    def __enter__(self):
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()

    def _sample(self):
        while not self._ended.wait(SAMPLING_SECONDS):
            self.resident_bytes = max(self.resident_bytes, self._relay.resident_byte_count)
            self.kernel_bytes = max(self.kernel_bytes, tcp_byte_count())


def tcp_byte_count():
    """`TCP: … mem PAGES` of /proc/net/sockstat."""
    for line in pathlib.Path("/proc/net/sockstat").read_text().splitlines():
        if line.startswith("TCP:"):
            words = line.split()
            return int(words[words.index("mem") + 1]) * resource.getpagesize()
    raise OSError("/proc/net/sockstat has no line for TCP")
