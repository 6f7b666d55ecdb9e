"""The relay's messages, its tokens and RFC 6455's frames, written from their descriptions and not from the server's
sources: bytes in, values out. Nothing here knows a socket.
"""

import base64
import collections
import hashlib
import hmac
import os
import struct
import time

AUTH, AUTH_RESPONSE, TRANSPORT, CLOSE, HEALTH = 6, 7, 3, 4, 5
SUBSCRIBE, UNSUBSCRIBE, ONLINE, OFFLINE = 8, 9, 10, 11
MAGIC = bytes.fromhex("2112a442")
PEER_ID_BYTES = 36
MESSAGE_BYTES_MAX, PEERS_OF_A_LIST_MAX = 8820, 244
PAYLOAD_BYTES_MAX = MESSAGE_BYTES_MAX - 2 - PEER_ID_BYTES

CONTINUED, TEXT, BINARY, GOODBYE, PING, PONG = 0, 1, 2, 8, 9, 10
KEY_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Frame = collections.namedtuple("Frame", "operation is_final payload")


# --- the relay's messages ---------------------------------------------------------------------------------------------


def peer_id(name):
    return b"sha-" + hashlib.sha256(name.encode()).digest()


def printed(identity):
    """As the clients' logs and `apus peers` show an id."""
    return "sha-" + base64.b64encode(identity[4:]).decode()


def message(kind, body=b""):
    return bytes((1, kind)) + body


def token(secret, seconds=3600, *, expiry=None, algorithm=1):
    """Version 2: the algorithm, the signature under SHA-256(secret), the expiry as decimal text."""
    text = str(int(time.time()) + seconds if expiry is None else expiry).encode()
    return bytes((algorithm,)) + hmac.digest(hashlib.sha256(secret.encode()).digest(), text, "sha256") + text


def auth(identity, proof):
    return message(AUTH, MAGIC + identity + proof)


def transport(identity, payload=b""):
    return message(TRANSPORT, identity + payload)


def listed(body):
    """The ids of a list."""
    return [body[start:start + PEER_ID_BYTES] for start in range(0, len(body), PEER_ID_BYTES)]


# --- WebSocket --------------------------------------------------------------------------------------------------------


def upgrade_request(host, path="/relay", fields=()):
    """The request and the Sec-WebSocket-Accept that has to come back."""
    key = base64.b64encode(os.urandom(16))
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket",
             "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key.decode()}",
             *(f"{name}: {value}" for name, value in fields)]
    accept = base64.b64encode(hashlib.sha1(key + KEY_SUFFIX).digest())
    return "\r\n".join([*lines, "", ""]).encode(), accept.decode()


def frame(payload, operation=BINARY, mask=None):
    """A client's frame: whole and masked."""
    mask = os.urandom(4) if mask is None else mask
    count = len(payload)
    if count < 126:
        head = struct.pack("!BB", 0x80 | operation, 0x80 | count)
    elif count < 1 << 16:
        head = struct.pack("!BBH", 0x80 | operation, 0x80 | 126, count)
    else:
        head = struct.pack("!BBQ", 0x80 | operation, 0x80 | 127, count)
    return head + mask + exclusive_or(payload, mask)


def exclusive_or(payload, mask):
    repeated = (mask * (len(payload) // 4 + 1))[:len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(len(payload), "big")


class FrameReader:
    """A server's frames out of whatever came so far."""

    def __init__(self):
        self._bytes = bytearray()

    def feed(self, received):
        self._bytes += received

    def next(self):
        """None: more has to come. A masked frame, or a reserved bit, is a ValueError."""
        if len(self._bytes) < 2:
            return None
        first, second = self._bytes[:2]
        if first & 0x70 or second & 0x80:
            raise ValueError(f"no server may send a frame that begins with {first:02x} {second:02x}")
        start, count = 2, second
        if count == 126:
            start = 4
            count = int.from_bytes(self._bytes[2:4], "big") if len(self._bytes) >= 4 else None
        elif count == 127:
            start = 10
            count = int.from_bytes(self._bytes[2:10], "big") if len(self._bytes) >= 10 else None
        if count is None or len(self._bytes) < start + count:
            return None
        payload = bytes(self._bytes[start:start + count])
        del self._bytes[:start + count]
        return Frame(first & 0x0F, bool(first & 0x80), payload)
