"""Clients that knock without end: one that connects anew for each request, one that stays until it is told to leave.
Each request has one reply or is counted as lost; each connection is made or is counted as refused."""

import socket
import threading

from npro import wire

REPLY_SECONDS_MAX = 20


def connect(address):
    if address.startswith("unix:"):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(REPLY_SECONDS_MAX)
        try:
            stream.connect(address.removeprefix("unix:"))
        except OSError:
            stream.close()
            raise
        return stream
    host, _, port = address.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), REPLY_SECONDS_MAX)


class Caller:
    """One connection."""

    def __init__(self, address):
        self.stream = connect(address)
        self.reader = wire.PacketReader()
        self.must_leave = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    def echo(self, text):
        """Whether the reply came. A request that crosses the server's DISCONNECT is answered all the same."""
        self.stream.sendall(wire.packet(wire.encode_echo(text)))
        while True:
            message = self.receive()
            if message is None:
                return False
            if message.kind == wire.DISCONNECT:
                self.must_leave = True
            else:
                return message.kind == wire.ECHO and message.body.text == text

    def receive(self):
        while True:
            payload = self.reader.next()
            if payload is not None:
                return wire.decode(payload)
            more = self.stream.recv(65536)
            if not more:
                return None
            self.reader.feed(more)


class Load:
    """Threads that go on until the `with` ends; the counts are read then."""

    def __init__(self, *addresses, brief=2, lasting=2):
        self.connections = self.replies = 0
        self.refused, self.lost = [], []
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=work, args=(address,), daemon=True) for address in addresses
                         for work in [self._call_once] * brief + [self._stay] * lasting]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def __str__(self):
        return (f"{self.connections} connections, {self.replies} replies, {len(self.refused)} refused "
                f"{self.refused[:3]}, {len(self.lost)} lost {self.lost[:3]}")

    @property
    def is_clean(self):
        return not self.refused and not self.lost and self.replies > 0

    def _call_once(self, address):
        while not self._over.is_set():
            self._converse(address, 1)

    def _stay(self, address):
        while not self._over.is_set():
            self._converse(address, None)

    def _converse(self, address, count):
        """`count` requests, or as many as until the end, or until the server wants its peer to leave."""
        try:
            caller = Caller(address)
        except OSError as error:
            return self._count(refused=error)
        self._count()
        with caller:
            number = 0
            while number != count and not caller.must_leave and not (count is None and self._over.is_set()):
                number += 1
                try:
                    answered = caller.echo(b"%d" % number)
                except OSError as error:
                    return self._count_reply(error)
                self._count_reply(None if answered else "the connection ended")

    def _count(self, refused=None):
        with self._lock:
            if refused is None:
                self.connections += 1
            else:
                self.refused.append(repr(refused))

    def _count_reply(self, lost):
        with self._lock:
            if lost is None:
                self.replies += 1
            else:
                self.lost.append(repr(lost))
