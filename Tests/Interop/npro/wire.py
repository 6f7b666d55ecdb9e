"""Packets and messages of NPRO version 1: bytes in, values out. Knows no socket and no key."""

import struct
from typing import NamedTuple

MAGIC_AND_VERSION = b"NPRO\x01"
HEADER_BYTES = 9
PAYLOAD_BYTES_MAX = 16 * 1024 * 1024

PING, PONG, INIT, RESPONSE, CONFIRM, ECHO, DISCONNECT, CUSTOM, UNKNOWN = range(9)
NAMES = ("Ping", "Pong", "Init", "Response", "Confirm", "Echo", "Disconnect", "Custom", "Unknown")


class WireViolation(Exception):
    """What the peer sent is no packet, or no message: said in one sentence."""


# --- packets ----------------------------------------------------------------------------------------------------------


def packet(payload):
    return MAGIC_AND_VERSION + struct.pack(">I", len(payload)) + payload


class PacketReader:
    """Takes bytes as they come and gives whole payloads; refuses at the first byte that is wrong."""

    def __init__(self):
        self.buffered = bytearray()

    def feed(self, more):
        self.buffered += more

    def next(self):
        """The next payload, or None until more bytes came."""
        prefix = bytes(self.buffered[: len(MAGIC_AND_VERSION)])
        if prefix != MAGIC_AND_VERSION[: len(prefix)]:
            raise WireViolation(f"no packet begins with {prefix.hex()}")
        if len(self.buffered) < HEADER_BYTES:
            return None
        (length,) = struct.unpack_from(">I", self.buffered, len(MAGIC_AND_VERSION))
        if length > PAYLOAD_BYTES_MAX:
            raise WireViolation(f"a payload of {length} bytes is announced")
        if len(self.buffered) < HEADER_BYTES + length:
            return None
        payload = bytes(self.buffered[HEADER_BYTES : HEADER_BYTES + length])
        del self.buffered[: HEADER_BYTES + length]
        return payload


# --- messages ---------------------------------------------------------------------------------------------------------


class Init(NamedTuple):
    public_key: bytes
    timestamp: int  # milliseconds since 1970
    nonce: bytes


class Response(NamedTuple):
    public_key: bytes
    nonce: bytes
    verification: bytes


class Confirm(NamedTuple):
    verification: bytes


class Echo(NamedTuple):
    text: bytes


class Custom(NamedTuple):
    command: bytes
    payload: bytes


class Message(NamedTuple):
    kind: int
    body: object  # one of the tuples above, or None
    trailing: bytes  # what bincode ignores after the value


def encode_simple(kind):
    return struct.pack("<I", kind)


def encode_init(message):
    return struct.pack("<I32sQ16s", INIT, *message)


def encode_response(message):
    return struct.pack("<I32s16s32s", RESPONSE, *message)


def encode_confirm(message):
    return struct.pack("<I32s", CONFIRM, *message)


def encode_echo(text):
    return struct.pack("<I", ECHO) + _counted(text)


def encode_custom(command, payload):
    return struct.pack("<I", CUSTOM) + _counted(command) + _counted(payload)


def _counted(content):
    return struct.pack("<Q", len(content)) + content


def decode(payload):
    """Reads the message and leaves what follows it as `trailing`."""
    cursor = _Cursor(payload)
    (kind,) = cursor.take("<I")
    body = _BODIES[kind](cursor) if kind in _BODIES else None
    return Message(min(kind, UNKNOWN), body, payload[cursor.offset :])


class _Cursor:
    def __init__(self, payload):
        self.payload = payload
        self.offset = 0

    def take(self, form):
        if self.offset + struct.calcsize(form) > len(self.payload):
            raise WireViolation(f"a message of {len(self.payload)} bytes ends within a field")
        fields = struct.unpack_from(form, self.payload, self.offset)
        self.offset += struct.calcsize(form)
        return fields

    def take_counted(self):
        (count,) = self.take("<Q")
        if count > len(self.payload) - self.offset:
            raise WireViolation(f"a length of {count} exceeds the payload")
        return self.take(f"{count}s")[0]

    def take_text(self):
        text = self.take_counted()
        try:
            text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise WireViolation("a text is not UTF-8") from error
        return text


_BODIES = {
    INIT: lambda cursor: Init(*cursor.take("<32sQ16s")),
    RESPONSE: lambda cursor: Response(*cursor.take("<32s16s32s")),
    CONFIRM: lambda cursor: Confirm(*cursor.take("<32s")),
    ECHO: lambda cursor: Echo(cursor.take_text()),
    CUSTOM: lambda cursor: Custom(cursor.take_text(), cursor.take_counted()),
}
