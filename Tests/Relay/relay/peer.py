"""One peer on a blocking socket, as a client of NetBird's is one: upgrade, Auth, AuthResponse, messages."""

import collections
import socket
import ssl
import time

from npro.rig import Failed, require

from . import wire

PATIENCE_SECONDS = 10

Message = collections.namedtuple("Message", "kind body")


class Ended(Exception):
    """The relay closed the connection; `code` and `reason` are its close frame's, if it sent one."""

    def __init__(self, code=None, reason=""):
        super().__init__(f"closed with {code} {reason!r}" if code else "closed without a word")
        self.code, self.reason = code, reason


class Peer:
    """A WebSocket to the relay's path. It answers health checks until it is told to be `silent`."""

    def __init__(self, address, *, certificate=None, protocols=(), host="relay.test", fields=(), path="/relay",
                 preface=b"", source="127.0.0.1", receive_buffer=None):
        self.silent, self.health_check_count = False, 0
        self._frames = wire.FrameReader()
        self.stream = socket.socket()
        # Many peers from one address leave ports behind that are not free again at once.
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.stream.settimeout(PATIENCE_SECONDS)
        self.stream.bind((source, 0))
        self.stream.connect(address)
        self.stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.local = self.stream.getsockname()
        self.stream.sendall(preface)
        if certificate:
            self.stream = _trusting(certificate, protocols).wrap_socket(self.stream, server_hostname="localhost")
        self._upgrade(host, path, fields)

    def _upgrade(self, host, path, fields):
        request, accept = wire.upgrade_request(host, path, fields)
        self.stream.sendall(request)
        head = b""
        while b"\r\n\r\n" not in head:
            received = self.stream.recv(4096)
            if not received:
                raise Ended()
            head += received
        head, _, rest = head.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(status.split()[1])
        self.fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self._frames.feed(rest)
        if self.status == 101:
            require(self.fields.get("sec-websocket-accept") == accept, f"accepted with {self.fields}")

    @classmethod
    def login(cls, address, name, secret, *, proof=None, url=None, **options):
        """A peer whose AuthResponse has come, which was the first thing it was sent."""
        peer = cls(address, **options)
        require(peer.status == 101, f"the upgrade was answered with {peer.status}")
        peer.identity = wire.peer_id(name)
        peer.send(wire.auth(peer.identity, wire.token(secret) if proof is None else proof))
        first = peer.receive()
        require(first.kind == wire.AUTH_RESPONSE, f"the first message is of type {first.kind}, not an AuthResponse")
        peer.url = first.body.decode()
        require(url in (None, peer.url), f"the relay calls itself {peer.url}, not {url}")
        return peer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, message, operation=wire.BINARY):
        self.stream.sendall(wire.frame(message, operation))

    def send_to(self, other, payload):
        self.send(wire.transport(other.identity, payload))

    def subscribe(self, *identities):
        self.send(wire.message(wire.SUBSCRIBE, b"".join(identities)))

    def unsubscribe(self, *identities):
        self.send(wire.message(wire.UNSUBSCRIBE, b"".join(identities)))

    # --- receiving ----------------------------------------------------------------------------------------------------

    def receive(self, seconds=PATIENCE_SECONDS):
        """The next message that is no health check. TimeoutError, or Ended."""
        deadline = time.monotonic() + seconds
        while True:
            frame = self._receive_frame(deadline)
            require(frame.operation == wire.BINARY and frame.is_final, f"{frame} is no whole binary frame")
            require(len(frame.payload) >= 2 and frame.payload[0] == 1, f"{frame} holds no message of version 1")
            if frame.payload[1] != wire.HEALTH:
                return Message(frame.payload[1], frame.payload[2:])
            self.health_check_count += 1
            if not self.silent:
                self.send(wire.message(wire.HEALTH))

    def _receive_frame(self, deadline):
        while True:
            frame = self._frames.next()
            if frame is None:
                self._receive_bytes(deadline)
            elif frame.operation == wire.GOODBYE:
                raise Ended(int.from_bytes(frame.payload[:2], "big"), frame.payload[2:].decode())
            elif frame.operation != wire.PONG:
                return frame

    def _receive_bytes(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("nothing came")
        self.stream.settimeout(left)
        try:
            received = self.stream.recv(1 << 16)
        except ConnectionResetError:
            raise Ended() from None
        finally:
            self.stream.settimeout(PATIENCE_SECONDS)
        if not received:
            raise Ended()
        self._frames.feed(received)

    def expect(self, kind, body=None):
        """The next message, which has to be this one."""
        try:
            came = self.receive()
        except TimeoutError:
            raise Failed(f"no message of type {kind} came") from None
        require(came.kind == kind, f"type {came.kind} came ({came.body[:80]!r}), not {kind}")
        require(body is None or came.body == body, f"{came.body[:80]!r} came, not {body and body[:80]!r}")
        return came

    def expect_from(self, other, payload):
        self.expect(wire.TRANSPORT, other.identity + payload)

    def expect_silence(self, seconds):
        """Nothing but health checks."""
        try:
            came = self.receive(seconds)
        except TimeoutError:
            return
        raise Failed(f"type {came.kind} came where nothing may come: {came.body[:80]!r}")

    def expect_end(self, seconds=PATIENCE_SECONDS):
        """How the relay ended it, whatever it sent before."""
        try:
            while True:
                self.receive(seconds)
        except Ended as end:
            return end
        except TimeoutError:
            raise Failed(f"still open after {seconds} s") from None


def _trusting(certificate, protocols):
    context = ssl.create_default_context(cafile=str(certificate))
    if protocols:
        context.set_alpn_protocols(protocols)
    context.check_hostname = True
    return context
