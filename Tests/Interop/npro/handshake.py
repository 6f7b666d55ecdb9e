"""The handshake's version 1 in both roles: payloads in, payloads and keys out. Knows no socket.

It proves nothing about who the peer is: whoever can change the bytes between two peers can stand between them.
"""

import hashlib
import os
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import wire

EARLY_MILLISECONDS_MAX, LATE_MILLISECONDS_MAX = 2_000, 30_000
NO_SECRET = bytes(32)


class Refusal(Exception):
    """Why this side ends the handshake: said in one sentence."""


class KeyMaterial(NamedTuple):
    """What one side draws for one handshake. `public_key` may be a lie that a test tells."""

    private_key: X25519PrivateKey
    public_key: bytes
    nonce: bytes

    @staticmethod
    def drawn(false_public_key=None):
        return KeyMaterial.of(os.urandom(32), os.urandom(16), false_public_key)

    @staticmethod
    def of(secret, nonce, false_public_key=None):
        private_key = X25519PrivateKey.from_private_bytes(secret)
        public_key = private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return KeyMaterial(private_key, false_public_key or public_key, nonce)

    @property
    def lies(self):
        own = self.private_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        return self.public_key != own

    def shared_secret(self, peer_key):
        """Of a low-order key everybody knows the secret, whoever lies about his own included: it is zero."""
        if self.lies:
            return NO_SECRET
        try:
            return self.private_key.exchange(X25519PublicKey.from_public_bytes(peer_key))
        except ValueError as error:
            raise Refusal("the peer's public key is of low order") from error


def verification_of(nonce):
    return hashlib.sha256(nonce).digest()


def session_key(secret, client_nonce, server_nonce):
    return hashlib.sha256(secret + b"client_nonce" + client_nonce + b"server_nonce" + server_nonce).digest()


def require_fresh(timestamp, now):
    """Both in milliseconds since 1970; both limits belong to the window."""
    if timestamp > now + EARLY_MILLISECONDS_MAX:
        raise Refusal(f"the timestamp is {timestamp - now} ms in the future")
    if now - timestamp > LATE_MILLISECONDS_MAX:
        raise Refusal(f"the timestamp is {now - timestamp} ms old")


def expect(payload, kind):
    """The message in a payload, which has to be of this kind."""
    try:
        message = wire.decode(payload)
    except wire.WireViolation as violation:
        raise Refusal(str(violation)) from violation
    if message.kind != kind:
        raise Refusal(f"{wire.NAMES[kind]} was expected, {wire.NAMES[message.kind]} came")
    return message


def require_verification(actual, nonce):
    if actual != verification_of(nonce):
        raise Refusal("the peer's verification is not the hash of our nonce")


class Session(NamedTuple):
    sending_key: bytes
    receiving_key: bytes
    is_v1: bool = True
    is_authenticated: bool = False
    compression: str = None
    peer_identity: bytes = None


# --- the two roles ----------------------------------------------------------------------------------------------------


class ClientHello(NamedTuple):
    """What a client draws for one handshake; used twice, it is a replay."""

    material: KeyMaterial
    timestamp: int

    def message(self):
        return wire.encode_init(wire.Init(self.material.public_key, self.timestamp, self.material.nonce))


class ClientHandshake:
    def __init__(self, hello):
        self.material = hello.material
        self.init = hello.message()

    def receive(self, payload):
        """Takes the Response; gives the Confirm and the session."""
        response = expect(payload, wire.RESPONSE).body
        require_verification(response.verification, self.material.nonce)
        secret = self.material.shared_secret(response.public_key)
        key = session_key(secret, self.material.nonce, response.nonce)
        return wire.encode_confirm(wire.Confirm(verification_of(response.nonce))), Session(key, key)


class ServerHandshake:
    def __init__(self, material, seen_nonces):
        self.material = material
        self.seen_nonces = seen_nonces  # of every connection

    def receive_init(self, payload, now):
        """Gives the Response."""
        self.peer = expect(payload, wire.INIT).body
        require_fresh(self.peer.timestamp, now)
        if self.peer.nonce in self.seen_nonces:
            raise Refusal("an Init was replayed")
        verification = verification_of(self.peer.nonce)
        return wire.encode_response(wire.Response(self.material.public_key, self.material.nonce, verification))

    def receive_confirm(self, payload):
        """Gives the session."""
        require_verification(expect(payload, wire.CONFIRM).body.verification, self.material.nonce)
        self.seen_nonces.add(self.peer.nonce)
        key = session_key(self.material.shared_secret(self.peer.public_key), self.peer.nonce, self.material.nonce)
        return Session(key, key)
