"""RFC 6455's frames, written and read a second time: every bit is free, so that wrong ones can be sent."""

import os
import struct

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10


def masked(payload, key):
    """Each byte with its byte of the key, as one large number: Python has nothing faster of its own."""
    count = len(payload)
    repeated = (key * (count // 4 + 1))[:count]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(repeated, "big")).to_bytes(count, "big")


def frame(opcode, payload=b"", fin=True, reserved=0, key=None, is_masked=True, length_byte_count=None):
    """A client's frame. `length_byte_count` (1, 2 or 8) forces a form of the length."""
    head = bytes([(0x80 if fin else 0) | reserved << 4 | opcode])
    head += _length(len(payload), 0x80 if is_masked else 0, length_byte_count)
    if not is_masked:
        return head + payload
    key = os.urandom(4) if key is None else key
    return head + key + masked(payload, key)


def _length(length, mask_bit, byte_count):
    byte_count = byte_count or (1 if length < 126 else 2 if length < 65536 else 8)
    if byte_count == 1:
        return bytes([mask_bit | length])
    announced, layout = (126, ">H") if byte_count == 2 else (127, ">Q")
    return bytes([mask_bit | announced]) + struct.pack(layout, length)


def close(code=1000, reason=b""):
    return frame(CLOSE, struct.pack(">H", code) + reason)


class Malformed(Exception):
    """The server sent what no server may send."""


def parse(received, offset):
    """(opcode, fin, payload, end) of the server's frame at `offset`, or None while it is not whole."""
    if len(received) - offset < 2:
        return None
    first, second = received[offset], received[offset + 1]
    if first & 0x70 or second & 0x80 or first & 15 not in (0, 1, 2, 8, 9, 10):
        raise Malformed(f"a frame begins with {first:02x} {second:02x}")
    length, start = second & 127, offset + 2
    if length > 125:
        width = 2 if length == 126 else 8
        if len(received) < start + width:
            return None
        length, start = int.from_bytes(received[start:start + width], "big"), start + width
    if len(received) < start + length:
        return None
    return first & 15, bool(first & 0x80), bytes(received[start:start + length]), start + length
