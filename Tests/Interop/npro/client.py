"""The client: shakes hands, sends Echos and checks what comes back, then misbehaves if it was asked to."""

import socket
import time

from . import compression, misbehaviour, wire
from .connection import Connection, PeerEnded
from .extension import client_handshake
from .handshake import ClientHello, KeyMaterial
from .outcome import Outcome, conduct
from .sealing import NONCES, SealedChannel

REPLAYED_STAGE = "misbehaviour"


def run(options, settings, connect=None):
    """Gives the Outcome of one run; `connect` opens a stream socket."""
    connect = connect or (lambda: socket.create_connection(options.address, timeout=options.timeout))
    outcome = Outcome("client")
    return conduct(outcome, lambda: _run(options, settings, connect, outcome), _misbehaves(options))


def _misbehaves(options):
    return misbehaviour.is_in_session(options, "client") or options.replay_handshake


def _run(options, settings, connect, outcome):
    client = Client(options, settings, outcome)
    client.converse(connect())
    if options.replay_handshake:
        outcome.stage = REPLAYED_STAGE
        client.converse(connect())


class Client:
    def __init__(self, options, settings, outcome):
        self.options, self.settings, self.outcome = options, settings, outcome
        self.hello = _hello(options)

    def converse(self, stream):
        """A whole connection. Begun a second time with the same hello, it is the replay of a handshake."""
        self.connection = Connection(stream, self.options.timeout, self.options.split_bytes)
        try:
            self._shake_hands()
            self._exchange()
            self._misbehave()
            self._take_leave()
        finally:
            self.connection.close()

    def _enter(self, stage):
        if self.outcome.stage != REPLAYED_STAGE:
            self.outcome.stage = stage

    # --- the handshake ------------------------------------------------------------------------------------------------

    def _shake_hands(self):
        self._enter("handshake")
        handshake = client_handshake(self.settings, self.hello)
        self.connection.send_raw(self.options.prefix_bytes)
        self.connection.send(*self._first_payloads(handshake))
        self._hold("init")
        confirm, session = handshake.receive(self.connection.receive())
        self._hold("response")
        self.outcome.learn(session)
        self.compression = session.compression
        nonces = NONCES[self.options.nonces]()
        self.channel = SealedChannel(session.sending_key, session.receiving_key, nonces, not session.is_v1)
        self.held_back = []
        self._send_confirm(confirm)

    def _first_payloads(self, handshake):
        case = self.options.out_of_order
        first = misbehaviour.out_of_order_first(case)
        if first is not None:
            return [first]
        init = handshake.init
        if case == "short-init":
            return [init[:59]]
        init = misbehaviour.altered(init, "init", self.options)
        return [init, init] if case == "init-twice" else [init]

    def _send_confirm(self, confirm):
        case = self.options.out_of_order
        confirm = misbehaviour.altered(confirm, "confirm", self.options)
        if case == "ping-for-confirm":
            confirm = wire.encode_simple(wire.PING)
        if case == "short-confirm":
            confirm = confirm[:35]
        if self.options.confirm_with_first_packet:
            self.held_back = [confirm]
        else:
            self.connection.send(confirm)

    def _hold(self, moment):
        if self.options.hold_after == moment:
            self.connection.receive_until_end()

    # --- the session --------------------------------------------------------------------------------------------------

    def _send(self, *messages):
        sealed = [self.channel.seal(self._packed(message)) for message in messages]
        self.connection.send(*self.held_back, *sealed)
        self.held_back = []
        self.last_sent = sealed[-1]

    def _packed(self, message):
        return message if self.compression is None else compression.pack(message, self.compression)

    def _receive(self):
        """The next message that is no Ping; a Ping is answered."""
        while True:
            self.last_received = self.connection.receive()
            plaintext = self.channel.open(self.last_received)
            self.outcome.established = True
            if self.compression is not None:
                plaintext = compression.unpack(plaintext, self.compression)
            message = wire.decode(plaintext)
            if message.kind != wire.PING:
                return message
            self._send(wire.encode_simple(wire.PONG))

    def _exchange(self):
        self._enter("session")
        due = [_text(number, self.options.size) for number in range(self.options.requests)]
        for start in range(0, len(due), self.options.depth):
            batch = due[start : start + self.options.depth]
            self._send(*map(wire.encode_echo, batch))
            for text in batch:
                self._verify(text)

    def _verify(self, text):
        message = self._receive()
        if message.kind != wire.ECHO or message.body.text != text:
            raise wire.WireViolation(f"{wire.NAMES[message.kind]} came for an Echo, or another text")
        self.outcome.echoes += 1

    def _misbehave(self):
        """The peer has to end the connection; an answer means that it took what it must refuse."""
        if not misbehaviour.is_in_session(self.options, "client"):
            return
        self._enter("misbehaviour")
        self.connection.send(*self._wrong_payloads())
        self.outcome.reason = f"the peer answered {wire.NAMES[self._receive().kind]} to what it has to refuse"
        self.outcome.stage = "accepted"

    def _wrong_payloads(self):
        options, channel = self.options, self.channel
        request = self._packed(wire.encode_echo(b"wrong"))
        if options.replay:
            return [self.last_sent]
        if options.reflect:
            return [self.last_received]
        if options.repeat_nonce:
            return [channel.seal(request, nonce=self.last_sent[:24])]
        if options.old_nonce:
            skipped = channel.nonces.next()
            self._send(wire.encode_echo(b"behind it"))
            self._verify(b"behind it")
            return [channel.seal(request, nonce=skipped)]
        if options.bomb:
            return [channel.seal(misbehaviour.bomb(self.compression))]
        if options.bad_compression_flag:
            return [channel.seal(b"\x07" + wire.encode_echo(b"wrong"))]
        if options.out_of_order == "plain-after":
            return [wire.encode_echo(b"wrong")]
        return [misbehaviour.altered(channel.seal(request), "sealed", options)]

    def _take_leave(self):
        """Disconnect, and the server closes; what it owes was read before."""
        if self.outcome.stage == "accepted":
            return
        self._enter("farewell")
        self._send(wire.encode_simple(wire.DISCONNECT))
        try:
            while True:
                self._receive()
        except PeerEnded:
            self.outcome.ended_by = "peer"


def _hello(options):
    now = time.time_ns() // 1_000_000
    return ClientHello(
        KeyMaterial.drawn(misbehaviour.false_public_key(options)), now - options.stale_ms + options.future_ms
    )


def _text(number, size):
    return (b"%d," % number * (size // 2 + 1))[:size]
