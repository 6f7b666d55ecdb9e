"""Bad peers, each in a process of its own so that it takes no time from the honest client's. All are bounded."""

import multiprocessing
import selectors
import socket
import time

from . import wire

_fork = multiprocessing.get_context("fork")


class Attack:
    """Runs `body(tally)` in a process while the block runs; the tally's counts are read from outside at any time."""

    def __init__(self, body, *arguments):
        self.opened, self.closed, self.refused = (_fork.Value("q", 0) for _ in range(3))
        self._stop = _fork.Event()
        self._process = _fork.Process(target=body, args=(self, *arguments), daemon=True)

    def __enter__(self):
        self._process.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()

    @property
    def is_over(self):
        return self._stop.is_set()

    @property
    def open_count(self):
        return self.opened.value - self.closed.value


def _connect(attack, address, source):
    """A connection that does not block; None when the server, or this machine, has no place for it."""
    stream = socket.socket()
    stream.settimeout(1)
    try:
        stream.bind((source, 0))
        stream.connect(address)
    except OSError:
        stream.close()
        attack.refused.value += 1
        return None
    stream.setblocking(False)
    attack.opened.value += 1
    return stream


def _reap(attack, selector):
    """Closes what the server has closed, and throws away what it sent."""
    for key, _ in selector.select(0):
        try:
            if key.fileobj.recv(65536):
                continue
        except BlockingIOError:
            continue
        except OSError:
            pass
        _drop(attack, selector, key.fileobj)


def _drop(attack, selector, stream):
    selector.unregister(stream)
    stream.close()
    attack.closed.value += 1


def flood(attack, address, source, count_max):
    """Opens connections as fast as it can, says nothing, and holds on to as many as it may."""
    selector = selectors.DefaultSelector()
    while not attack.is_over:
        _reap(attack, selector)
        if len(selector.get_map()) >= count_max:
            time.sleep(0.01)
        elif stream := _connect(attack, address, source):
            selector.register(stream, selectors.EVENT_READ)


def dribble(attack, address, source, count, opening):
    """Begins a packet on each connection and then sends a byte of it now and then."""
    selector = selectors.DefaultSelector()
    for _ in range(count):
        if stream := _connect(attack, address, source):
            stream.send(opening)
            selector.register(stream, selectors.EVENT_READ)
    while not attack.is_over:
        _reap(attack, selector)
        for key in list(selector.get_map().values()):
            _send(attack, selector, key.fileobj, b"\0")
        time.sleep(0.25)


def ping_flood(attack, address, source, count):
    """Asks for nothing, as often as it can."""
    selector, burst = selectors.DefaultSelector(), wire.PING * 4096
    while not attack.is_over:
        while len(selector.get_map()) < count and (stream := _connect(attack, address, source)):
            selector.register(stream, selectors.EVENT_READ)
        for key in list(selector.get_map().values()):
            _send(attack, selector, key.fileobj, burst)
        _reap(attack, selector)


def sip(attack, address, source, count):
    """Asks for much, and takes the replies byte by byte."""
    streams, request = [], wire.echo(bytes(100_000))
    for _ in range(count):
        if stream := _connect(attack, address, source):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            # More than the kernel takes for the server, so that replies wait in the server itself.
            streams.append([stream, memoryview(request * 200)])
    while not attack.is_over:
        for entry in list(streams):
            if not _sip_once(entry):
                entry[0].close()
                streams.remove(entry)
                attack.closed.value += 1
        time.sleep(0.1)


def _sip_once(entry):
    """False: the server has closed the connection."""
    stream, rest = entry
    try:
        if rest:
            entry[1] = rest[stream.send(rest):]
    except BlockingIOError:
        pass
    except OSError:
        return False
    try:
        return bool(stream.recv(1))
    except BlockingIOError:
        return True
    except OSError:
        return False


def _send(attack, selector, stream, content):
    try:
        stream.send(content)
    except BlockingIOError:
        pass
    except OSError:
        _drop(attack, selector, stream)
