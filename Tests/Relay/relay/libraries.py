"""Peers that others wrote the WebSocket of: websockets and wsproto, from PyPI. Ours is theirs to talk to, both ways."""

import site
import socket
import subprocess
import sys

from npro.rig import Skipped, require

from . import wire
from .peer import Peer
from .server import SECRET, URL

INSTALL_SECONDS_MAX = 40
SIZES = (0, 1, 86, 87, 1200, wire.PAYLOAD_BYTES_MAX)


def play(report, rig, folder):
    with rig.serve() as relay:
        for name, Library in (("websockets", Websockets), ("wsproto", Wsproto)):
            report.play(f"libraries: {name}: login, both directions, health check, news, refusal",
                        lambda Library=Library: exchange(relay, Library, folder))


def install(folder):
    """Puts both where `import` finds them."""
    if not (folder / "complete").exists():
        for command in ([sys.executable, "-m", "venv", "--clear", str(folder)],
                        [str(folder / "bin/pip"), "install", "--quiet", "--disable-pip-version-check", "--retries", "1",
                         "websockets", "wsproto"]):
            try:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                                      timeout=INSTALL_SECONDS_MAX)
            except (OSError, subprocess.TimeoutExpired) as error:
                raise Skipped(f"cannot be installed: {error}") from None
            if done.returncode != 0:
                said = (done.stderr + done.stdout).strip().splitlines() or ["without a word"]
                raise Skipped(f"cannot be installed: {said[-1]}")
        (folder / "complete").touch()
    for found in folder.glob("lib/python*/site-packages"):
        site.addsitedir(str(found))


def exchange(relay, Library, folder):
    install(folder)
    identity, proof = wire.peer_id("library"), wire.token(SECRET)
    with Peer.login(relay.address, "ours", SECRET) as ours, Library(relay.address) as library:
        ours.subscribe(identity)
        library.send(wire.auth(identity, proof))
        require(library.receive() == wire.message(wire.AUTH_RESPONSE, URL.encode()), "no AuthResponse first")
        ours.expect(wire.ONLINE, identity)
        for size in SIZES:
            library.send(wire.transport(ours.identity, b"l" * size))
            ours.expect(wire.TRANSPORT, identity + b"l" * size)
            ours.send(wire.transport(identity, b"o" * size))
            require(library.receive() == wire.transport(ours.identity, b"o" * size), f"{size} bytes came otherwise")
        require(library.ping(b"are you there"), "a ping was not answered")
        library.send(wire.message(wire.CLOSE))
        require(library.receive() is None, "something came after Close")
        ours.expect(wire.OFFLINE, identity)
    with Library(relay.address) as library:
        library.send(wire.auth(identity, wire.token("another secret")))
        require(library.receive() is None, "it was let in")
        require(library.end == (1008, "bad_signature"), f"it saw {library.end}")


class Websockets:
    """Its blocking client."""

    def __init__(self, address):
        from websockets.sync.client import connect
        self._connection = connect("ws://%s:%d/relay" % address, compression=None, proxy=None, open_timeout=5)
        self.end = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()

    def send(self, message):
        self._connection.send(message)

    def receive(self):
        """None: it has ended, as `end` says."""
        from websockets.exceptions import ConnectionClosed
        try:
            return self._connection.recv(5)
        except ConnectionClosed as closed:
            self.end = (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else None
            return None

    def ping(self, payload):
        return self._connection.ping(payload).wait(5)


class Wsproto:
    """It does no I/O, which is done here."""

    def __init__(self, address):
        from wsproto import ConnectionType, WSConnection, events
        self._events, self._pending, self.end = events, [], None
        self._stream = socket.create_connection(address, timeout=5)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._say(events.Request(host="relay.test", target="/relay"))
        require(isinstance(self._next(), events.AcceptConnection), "the upgrade was refused")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()

    def _say(self, event):
        self._stream.sendall(self._connection.send(event))

    def _next(self):
        while not self._pending:
            self._connection.receive_data(self._stream.recv(1 << 16) or None)
            self._pending += self._connection.events()
        return self._pending.pop(0)

    def send(self, message):
        self._say(self._events.BytesMessage(message))

    def receive(self):
        """None: it has ended, as `end` says."""
        whole = b""
        while True:
            event = self._next()
            if isinstance(event, self._events.CloseConnection):
                self.end = (event.code, event.reason)
                return None
            require(isinstance(event, self._events.BytesMessage), f"{event}")
            whole += bytes(event.data)
            if event.message_finished:
                return whole

    def ping(self, payload):
        self._say(self._events.Ping(payload))
        event = self._next()
        return isinstance(event, self._events.Pong) and bytes(event.payload) == payload
