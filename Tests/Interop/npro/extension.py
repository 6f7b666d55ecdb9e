"""The handshake's extension: what rides behind the three messages, the keys for each direction, who is refused.

Written from docs/protocol.md, section "Handshake extension".
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from . import compression, wire
from .handshake import (ClientHandshake, Refusal, ServerHandshake, Session, expect, require_fresh, require_verification,
                        verification_of)

MAGIC, VERSION = b"APUS", 1
HAS_KEY, HAS_IDENTITY = 1, 2
CODES_MAX = 16
PAYLOAD_BYTES_MAX = 1024
HEADER_BYTES, IDENTITY_BYTES, SIGNATURE_BYTES, PROOF_BYTES = 8, 32, 64, 32


@dataclass
class Lies:
    """What a test has us say against the rules, with proofs that fit what was said."""

    strips: bool = False  # somebody on the way takes Init's, or Response's, extension away
    is_unmarked: bool = False
    init_extension: bytes = None  # instead of ours
    header: bytes = None  # version, flags, code, zero of Response's or Confirm's extension
    claimed_identity: bytes = None  # whose public key we show; the signature is made with our own


def client_handshake(settings, hello):
    if not settings.is_plain_v1:
        return ExtendedClient(settings, hello)
    plain = ClientHandshake(hello)
    plain.init += settings.lies.init_extension or b""
    return plain


def server_handshake(settings, material, seen_nonces):
    if settings.is_plain_v1:
        return ServerHandshake(material, seen_nonces)
    return ExtendedServer(settings, material, seen_nonces)


# --- pieces -----------------------------------------------------------------------------------------------------------


def mark(role, public_key, first_half):
    """The second half of a nonce."""
    return hashlib.sha256(b"apus/1 %s mark" % role + public_key + first_half).digest()[:8]


def is_marked(role, public_key, nonce):
    return nonce[8:] == mark(role, public_key, nonce[:8])


def marked(role, material):
    """The material with the mark in its nonce."""
    first_half = material.nonce[:8]
    return material._replace(nonce=first_half + mark(role, material.public_key, first_half))


def extract(salt, secret):
    return hmac.digest(salt, secret, "sha256")


def expand(secret, context):
    """32 bytes, one block of HKDF-Expand."""
    return hmac.digest(secret, context + b"\x01", "sha256")


def secret_of(shared, presharedkey):
    salt = extract(b"apus/1 pre-shared key", presharedkey) if presharedkey else b"apus/1 no pre-shared key"
    return extract(salt, shared)


def public_bytes(identity):
    return identity.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def require_small(payload):
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise Refusal(f"a handshake message of {len(payload)} bytes")


class InitExtension(NamedTuple):
    flags: int
    codes: bytes

    def encoded(self):
        return MAGIC + bytes([VERSION, self.flags, len(self.codes)]) + self.codes

    @staticmethod
    def read(content):
        if len(content) < 7 or content[4] == 0:
            raise Refusal("Init's extension is malformed")
        count, codes = content[6], content[7 : 7 + content[6]]
        if count > CODES_MAX or len(codes) < count or 0 in codes:
            raise Refusal("the algorithms in Init's extension are malformed")
        return InitExtension(content[5], codes)


class Proof(NamedTuple):
    """Response's or Confirm's extension."""

    header: bytes
    identity: bytes
    signature: bytes
    proof: bytes

    @property
    def flags(self):
        return self.header[5]

    @property
    def code(self):
        return self.header[6]

    @staticmethod
    def made(role, before, header, settings, secret):
        """`before` is all of the handshake in front of it."""
        identity = settings.identity
        before += header
        shown = signature = b""
        if identity:
            shown = settings.lies.claimed_identity or public_bytes(identity)
            signature = identity.sign(_labelled(role, b"signature", before + shown))
        proof = expand(secret, _labelled(role, b"proof", before + shown + signature))
        return Proof(header, shown, signature, proof)

    @staticmethod
    def read(content):
        if len(content) < HEADER_BYTES or content[4] != VERSION or content[7] != 0:
            raise Refusal("an extension's header is malformed")
        with_identity = IDENTITY_BYTES + SIGNATURE_BYTES if content[5] & HAS_IDENTITY else 0
        if len(content) != HEADER_BYTES + with_identity + PROOF_BYTES:
            raise Refusal(f"an extension of {len(content)} bytes is malformed")
        shown = content[HEADER_BYTES : HEADER_BYTES + with_identity]
        return Proof(content[:HEADER_BYTES], shown[:IDENTITY_BYTES], shown[IDENTITY_BYTES:], content[-PROOF_BYTES:])

    def require_right(self, role, before, secret):
        """Another pre-shared key, altered messages, or a signature of somebody else."""
        before += self.header + self.identity
        expected = expand(secret, _labelled(role, b"proof", before + self.signature))
        if not hmac.compare_digest(self.proof, expected):
            raise Refusal("the proof is not the one that we compute")
        if self.identity:
            _require_signature(self.identity, self.signature, _labelled(role, b"signature", before))


def _labelled(role, what, before):
    return b"apus/1 %s %s" % (role, what) + hashlib.sha256(before).digest()


def _require_signature(identity, signature, signed):
    try:
        Ed25519PublicKey.from_public_bytes(identity).verify(signature, signed)
    except (InvalidSignature, ValueError) as error:
        raise Refusal("the shown identity did not make the signature") from error


def header(flags, code=0):
    return MAGIC + bytes([VERSION, flags, code, 0])


# --- the two roles ----------------------------------------------------------------------------------------------------


class Extended:
    """What both roles have in common."""

    def __init__(self, settings):
        self.settings = settings

    def _require_v1_allowed(self):
        if self.settings.requires_extension:
            raise Refusal("the peer speaks version 1, which proves nothing")

    def _require_pinned(self, proof):
        pins = self.settings.pins
        if not pins or (self.settings.allows_v1 and not proof.identity):
            return
        if not proof.identity:
            raise Refusal("the peer shows no identity")
        if proof.identity not in pins:
            raise Refusal("the peer's identity is none that we know")

    def _session(self, secret, handshake, is_client, uses_key, code, proof):
        digest = hashlib.sha256(handshake).digest()
        to_server = expand(secret, b"apus/1 client to server" + digest)
        to_client = expand(secret, b"apus/1 server to client" + digest)
        keys = (to_server, to_client) if is_client else (to_client, to_server)
        is_pinned = proof.identity in self.settings.pins
        return Session(*keys, is_v1=False, is_authenticated=uses_key or is_pinned,
                       compression=compression.NAMES.get(code), peer_identity=proof.identity or None)


class ExtendedClient(Extended):
    def __init__(self, settings, hello):
        super().__init__(settings)
        lies = settings.lies
        self.material = hello.material if lies.is_unmarked else marked(b"client", hello.material)
        message = hello._replace(material=self.material).message()
        flags = HAS_KEY * bool(settings.presharedkey) | HAS_IDENTITY * bool(settings.identity)
        ours = InitExtension(flags, bytes(compression.CODES[name] for name in settings.compression))
        self.sent = message + (ours.encoded() if lies.init_extension is None else lies.init_extension)
        self.init = message if lies.strips else self.sent

    def receive(self, payload):
        """Takes the Response; gives the Confirm and the session."""
        require_small(payload)
        message = expect(payload, wire.RESPONSE)
        require_verification(message.body.verification, self.material.nonce)
        shared = self.material.shared_secret(message.body.public_key)
        has_mark = is_marked(b"server", message.body.public_key, message.body.nonce)
        if not message.trailing.startswith(MAGIC):
            return self._receive_v1(payload, has_mark)
        if not has_mark:
            raise Refusal("an extension without the mark")
        return self._receive_extended(payload, message, shared)

    def _receive_v1(self, payload, has_mark):
        if has_mark:
            raise Refusal("the server sent an extension that did not arrive")
        if not self.settings.lies.strips:
            self._require_v1_allowed()
        return ClientHandshake.receive(self, payload)

    def _receive_extended(self, payload, message, shared):
        proof = Proof.read(message.trailing)
        uses_key = self._require_flags(proof)
        secret = secret_of(shared, self.settings.presharedkey if uses_key else None)
        before = self.sent + payload[: len(payload) - len(message.trailing)]
        proof.require_right(b"server", before, secret)
        self._require_pinned(proof)
        handshake, confirm = self._confirm(self.sent + payload, message.body.nonce, secret)
        return confirm, self._session(secret, handshake, True, uses_key, proof.code, proof)

    def _require_flags(self, proof):
        """Whether the pre-shared key is used; the algorithm has to be one of ours."""
        uses_key = bool(proof.flags & HAS_KEY)
        if uses_key and not self.settings.presharedkey:
            raise Refusal("the server uses a pre-shared key that we do not have")
        if self.settings.presharedkey and not uses_key and not self.settings.allows_v1:
            raise Refusal("the server has no pre-shared key")
        if proof.code and compression.NAMES.get(proof.code) not in self.settings.compression:
            raise Refusal(f"the server chose compression {proof.code}, which we did not offer")
        return uses_key

    def _confirm(self, handshake, server_nonce, secret):
        message = wire.encode_confirm(wire.Confirm(verification_of(server_nonce)))
        said = self.settings.lies.header or header(HAS_IDENTITY * bool(self.settings.identity))[4:]
        proof = Proof.made(b"client", handshake + message, MAGIC + said, self.settings, secret)
        confirm = message + b"".join(proof)
        return handshake + confirm, confirm


class ExtendedServer(Extended):
    def __init__(self, settings, material, seen_nonces):
        super().__init__(settings)
        self.material = material
        self.seen_nonces = seen_nonces
        self.plain = None  # the handshake of version 1, when it comes to that

    def receive_init(self, payload, now):
        """Gives the Response."""
        require_small(payload)
        message = expect(payload, wire.INIT)
        self.peer = message.body
        has_mark = is_marked(b"client", self.peer.public_key, self.peer.nonce)
        if not message.trailing.startswith(MAGIC):
            return self._answer_v1(payload, now, has_mark)
        if not has_mark:
            raise Refusal("an extension without the mark")
        require_fresh(self.peer.timestamp, now)
        if self.peer.nonce in self.seen_nonces:
            raise Refusal("an Init was replayed")
        return self._answer(payload, InitExtension.read(message.trailing))

    def _answer_v1(self, payload, now, has_mark):
        if has_mark:
            raise Refusal("the client sent an extension that did not arrive")
        self._require_v1_allowed()
        self.plain = ServerHandshake(self.material, self.seen_nonces)
        return self.plain.receive_init(payload, now)

    def _answer(self, init, theirs):
        settings, lies = self.settings, self.settings.lies
        self.theirs, self.uses_key = theirs, bool(settings.presharedkey) and bool(theirs.flags & HAS_KEY)
        if settings.requires_extension:
            self._require_announced()
        if not lies.is_unmarked:
            self.material = marked(b"server", self.material)
        offered = (code for code in map(compression.CODES.get, settings.compression) if code in theirs.codes)
        self.code = next(offered, 0)
        self.secret = secret_of(self.material.shared_secret(self.peer.public_key),
                                settings.presharedkey if self.uses_key else None)
        message = wire.encode_response(
            wire.Response(self.material.public_key, self.material.nonce, verification_of(self.peer.nonce)))
        said = lies.header or header(HAS_KEY * self.uses_key | HAS_IDENTITY * bool(settings.identity), self.code)[4:]
        proof = Proof.made(b"server", init + message, MAGIC + said, settings, self.secret)
        response = message + b"".join(proof)
        self.handshake = init + response
        return message if lies.strips else response

    def _require_announced(self):
        if self.settings.presharedkey and not self.uses_key:
            raise Refusal("the client has no pre-shared key")
        if self.settings.pins and not self.theirs.flags & HAS_IDENTITY:
            raise Refusal("the client shows no identity")

    def receive_confirm(self, payload):
        """Gives the session."""
        if self.plain:
            return self.plain.receive_confirm(payload)
        require_small(payload)
        message = expect(payload, wire.CONFIRM)
        require_verification(message.body.verification, self.material.nonce)
        if not message.trailing.startswith(MAGIC):
            raise Refusal("the client's last extension did not arrive")
        proof = Proof.read(message.trailing)
        if proof.code or proof.flags & HAS_KEY or (proof.flags ^ self.theirs.flags) & HAS_IDENTITY:
            raise Refusal("Confirm's extension is not what Init announced")
        proof.require_right(b"client", self.handshake + payload[: len(payload) - len(message.trailing)], self.secret)
        self._require_pinned(proof)
        self.seen_nonces.add(self.peer.nonce)
        return self._session(self.secret, self.handshake + payload, False, self.uses_key, self.code, proof)
