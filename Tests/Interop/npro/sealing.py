"""Sealed packets: HChaCha20 by hand, XChaCha20-Poly1305 from it, and a channel that refuses repeats and reflections.

A payload is nonce (24 bytes), ciphertext, tag (16 bytes), without associated data.
"""

import os
import struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

NONCE_BYTES, TAG_BYTES, PREFIX_BYTES = 24, 16, 16


class SealViolation(Exception):
    """A payload that cannot be opened, or should not be: said in one sentence."""


def hchacha20(key, nonce):
    """The subkey of draft-irtf-cfrg-xchacha-03, section 2.2: 32 bytes from a key of 32 and a nonce of 16."""
    state = list(struct.unpack("<16I", b"expand 32-byte k" + key + nonce))
    for _ in range(10):
        for lane in range(4):
            _quarter_round(state, lane, lane + 4, lane + 8, lane + 12)
        for lane in range(4):
            _quarter_round(state, lane, 4 + (lane + 1) % 4, 8 + (lane + 2) % 4, 12 + (lane + 3) % 4)
    return struct.pack("<8I", *state[:4], *state[12:])


def _quarter_round(state, a, b, c, d):
    for left, right, rotated, count in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        state[left] = (state[left] + state[right]) & 0xFFFFFFFF
        mixed = state[rotated] ^ state[left]
        state[rotated] = (mixed << count | mixed >> (32 - count)) & 0xFFFFFFFF


class XChaCha20Poly1305:
    """One key; remembers the subkey of the last nonce prefix."""

    def __init__(self, key):
        self.key = key
        self.prefix = self.cipher = None

    def seal(self, nonce, plaintext):
        return nonce + self._cipher_for(nonce).encrypt(_inner(nonce), plaintext, None)

    def open(self, payload):
        nonce, sealed = payload[:NONCE_BYTES], payload[NONCE_BYTES:]
        try:
            return self._cipher_for(nonce).decrypt(_inner(nonce), sealed, None)
        except InvalidTag as error:
            raise SealViolation("a payload does not open with the session's key") from error

    def _cipher_for(self, nonce):
        if nonce[:PREFIX_BYTES] != self.prefix:
            self.prefix = nonce[:PREFIX_BYTES]
            self.cipher = ChaCha20Poly1305(hchacha20(self.key, self.prefix))
        return self.cipher


def _inner(nonce):
    return bytes(4) + nonce[PREFIX_BYTES:]


# --- nonces -----------------------------------------------------------------------------------------------------------


class RandomNonces:
    """24 random bytes for each packet, as the Rust peer draws them."""

    def next(self):
        return os.urandom(NONCE_BYTES)


class CountedNonces:
    """16 random bytes for the connection, then a little-endian counter, as Apus sends them."""

    def __init__(self):
        self.prefix = os.urandom(PREFIX_BYTES)
        self.counter = 0

    def next(self):
        nonce = self.at(self.counter)
        self.counter += 1
        return nonce

    def at(self, counter):
        return self.prefix + struct.pack("<Q", counter)


NONCES = {"random": RandomNonces, "counter": CountedNonces}


# --- the channel ------------------------------------------------------------------------------------------------------


class SealedChannel:
    """Both directions of one connection. Remembers every nonce: a test's connection is short.

    `is_counted`: the peer has one prefix and counts 0, 1, 2 …, as the handshake's extension demands.
    """

    def __init__(self, sending_key, receiving_key, nonces, is_counted=False):
        self.is_counted = is_counted
        self.sending, self.receiving = XChaCha20Poly1305(sending_key), XChaCha20Poly1305(receiving_key)
        self.nonces = nonces
        self.sent, self.received = set(), set()
        self.last_received = None

    def seal(self, plaintext, nonce=None):
        nonce = nonce or self.nonces.next()
        self.sent.add(nonce)
        return self.sending.seal(nonce, plaintext)

    def open(self, payload):
        if len(payload) < NONCE_BYTES + TAG_BYTES:
            raise SealViolation(f"a payload of {len(payload)} bytes is too short to be sealed")
        nonce = payload[:NONCE_BYTES]
        if nonce in self.sent:
            raise SealViolation("a payload of our own came back")
        if nonce in self.received:
            raise SealViolation("a nonce was used twice")
        self._require_in_sequence(nonce)
        plaintext = self.receiving.open(payload)
        self.received.add(nonce)
        self.last_received = nonce
        return plaintext

    def _require_in_sequence(self, nonce):
        last = self.last_received
        if last is not None and _goes_back(nonce, last):
            raise SealViolation("a nonce counts backwards")
        if not self.is_counted:
            return
        if _counter(nonce) != len(self.received) or (last and nonce[:PREFIX_BYTES] != last[:PREFIX_BYTES]):
            raise SealViolation("a packet is missing, or the nonce's prefix has changed")


def _goes_back(nonce, last):
    """Whether two nonces of one prefix are out of order; random ones never share a prefix."""
    is_same_prefix = nonce[:PREFIX_BYTES] == last[:PREFIX_BYTES]
    return is_same_prefix and _counter(nonce) <= _counter(last)


def _counter(nonce):
    return struct.unpack("<Q", nonce[PREFIX_BYTES:])[0]
