"""The server: takes one connection, shakes hands, answers Ping, Echo and Custom, and misbehaves if it was asked to."""

import socket
import time

from . import compression, misbehaviour, wire
from .connection import Connection, PeerEnded, TimedOut
from .extension import server_handshake
from .handshake import KeyMaterial
from .outcome import Outcome, conduct
from .sealing import NONCES, SealedChannel


def run(options, settings, announce=print):
    """Listens on the loopback, serves one connection and gives the Outcome."""
    outcome = Outcome("server")
    with socket.create_server(("127.0.0.1", options.port)) as listener:
        listener.settimeout(options.timeout)
        announce(f"listening on 127.0.0.1:{listener.getsockname()[1]}")
        return conduct_one(options, settings, lambda: _accepted(listener), outcome)


def conduct_one(options, settings, accept, outcome=None, seen_nonces=None):
    outcome = outcome or Outcome("server")
    seen_nonces = set() if seen_nonces is None else seen_nonces

    def converse():
        Server(options, settings, outcome, seen_nonces).converse(accept())

    return conduct(outcome, converse, misbehaviour.is_in_session(options, "server"))


def _accepted(listener):
    try:
        return listener.accept()[0]
    except TimeoutError as error:
        raise TimedOut("nobody came") from error


class Server:
    def __init__(self, options, settings, outcome, seen_nonces):
        self.options, self.settings, self.outcome, self.seen_nonces = options, settings, outcome, seen_nonces
        self.requests_since = 0  # the misbehaviour

    def converse(self, stream):
        self.connection = Connection(stream, self.options.timeout, self.options.split_bytes)
        try:
            self._shake_hands()
            self.outcome.stage = "session"
            self._serve()
        finally:
            self.connection.close()

    # --- the handshake ------------------------------------------------------------------------------------------------

    def _shake_hands(self):
        self.outcome.stage = "handshake"
        self.connection.send_raw(self.options.prefix_bytes)
        init = self.connection.receive()
        self._hold("init")
        material = KeyMaterial.drawn(misbehaviour.false_public_key(self.options))
        handshake = server_handshake(self.settings, material, self.seen_nonces)
        now = time.time_ns() // 1_000_000 - self.options.stale_ms + self.options.future_ms
        response = handshake.receive_init(init, now)
        self.connection.send(*self._response_payloads(init, response))
        self._hold("response")
        session = handshake.receive_confirm(self.connection.receive())
        self.outcome.learn(session)
        self.compression = session.compression
        nonces = NONCES[self.options.nonces]()
        self.channel = SealedChannel(session.sending_key, session.receiving_key, nonces, not session.is_v1)

    def _response_payloads(self, init, response):
        case = self.options.out_of_order
        instead = misbehaviour.out_of_order_response(case, init)
        if instead is not None:
            return [instead]
        if case == "short-response":
            return [response[:83]]
        response = misbehaviour.altered(response, "response", self.options)
        return [response, response] if case == "response-twice" else [response]

    def _hold(self, moment):
        if self.options.hold_after == moment:
            self.connection.receive_until_end()

    # --- the session --------------------------------------------------------------------------------------------------

    def _serve(self):
        """Until the client takes its leave."""
        while (request := self._next_request()) is not None:
            self._watch(request)
            reply = reply_to(request)
            if reply is None:
                continue
            if misbehaviour.is_in_session(self.options, "server") and self.outcome.stage == "session":
                self.outcome.stage = "misbehaviour"
                self._misbehave(reply)
            else:
                self._send(reply)
                self.outcome.echoes += 1

    def _watch(self, request):
        """A client may send one request before it reads what was wrong; a second one shows that it did not notice."""
        if self.outcome.stage == "misbehaviour":
            self.requests_since += 1
        if self.requests_since == 2:
            self.outcome.stage = "accepted"
            self.outcome.reason = f"the client sent {wire.NAMES[request.kind]} after what it has to refuse"

    def _next_request(self):
        """None when the client has taken its leave in order."""
        try:
            request = self._received()
        except PeerEnded:
            if self.outcome.stage == "misbehaviour" or not self.outcome.established:
                raise
            request = None
        if request is not None and request.kind != wire.DISCONNECT:
            return request
        if self.outcome.stage == "misbehaviour":
            raise PeerEnded("closed")
        self.outcome.ended_by = "peer"
        return None

    def _received(self):
        self.last_received = self.connection.receive()
        plaintext = self.channel.open(self.last_received)
        self.outcome.established = True
        if self.compression is not None:
            plaintext = compression.unpack(plaintext, self.compression)
        return wire.decode(plaintext)

    def _send(self, message):
        self.last_sent = self.channel.seal(self._packed(message))
        self.connection.send(self.last_sent)

    def _packed(self, message):
        return message if self.compression is None else compression.pack(message, self.compression)

    def _misbehave(self, reply):
        """In the place of a reply, or behind it where a second packet is what is wrong."""
        options, channel, packed = self.options, self.channel, self._packed(reply)
        self.outcome.stage = "misbehaviour"
        if options.replay or options.repeat_nonce:
            self._send(reply)
            self.connection.send(self.last_sent if options.replay else channel.seal(packed, nonce=self.last_sent[:24]))
        elif options.old_nonce:
            skipped = channel.nonces.next()
            self._send(reply)
            self.connection.send(channel.seal(packed, nonce=skipped))
        else:
            self.connection.send(self._wrong_payload(reply, packed))

    def _wrong_payload(self, reply, packed):
        options, channel = self.options, self.channel
        if options.reflect:
            return self.last_received
        if options.bomb:
            return channel.seal(misbehaviour.bomb(self.compression))
        if options.bad_compression_flag:
            return channel.seal(b"\x07" + reply)
        if options.out_of_order == "plain-after":
            return reply
        return misbehaviour.altered(channel.seal(packed), "sealed", options)


def reply_to(request):
    if request.kind == wire.PING:
        return wire.encode_simple(wire.PONG)
    if request.kind == wire.ECHO:
        return wire.encode_echo(request.body.text)
    if request.kind == wire.CUSTOM:
        return wire.encode_custom(request.body.command, request.body.payload)
    return None
