"""X: what the published list leaves out: masks, the forms of a length, the largest lengths, what follows a refusal."""

import struct

from ..case import Case, echo
from ..frames import BINARY, CLOSE, CONTINUATION, PING, TEXT, frame

LIMIT = 16 << 20


def cases():
    yield from _masks()
    yield from _lengths()
    yield from _limits()


def _masks():
    for index, opcode in enumerate((TEXT, BINARY, PING, CLOSE, CONTINUATION), 1):
        yield Case(f"X.1.{index}", [frame(opcode, b"", is_masked=False)], end=1002)
    for index, key in enumerate((b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x01\x00\x00\x00", b"\x00\x00\x00\x01"), 6):
        for size in (0, 1, 2, 3, 15, 16, 17, 63, 64, 65, 1001):
            payload = bytes(number % 251 for number in range(size))
            yield Case(f"X.1.{index}.{size}", [frame(BINARY, payload, key=key)], messages=[(BINARY, payload)])


def _lengths():
    for index, (size, byte_count) in enumerate(((0, 2), (125, 2), (0, 8), (125, 8), (126, 8), (65535, 8)), 1):
        payload = b"*" * size
        yield Case(f"X.2.{index}", [frame(BINARY, payload, length_byte_count=byte_count)], end=1002)
    for index, first in enumerate((0x80, 0xFF), 7):
        head = bytes([0x82, 0xFF, first]) + bytes(7) + b"mask"
        yield Case(f"X.2.{index}", [head], end=1002)


def _limits():
    announced = bytes([0x82, 0xFF]) + struct.pack(">Q", LIMIT + 1) + b"mask"
    yield Case("X.3.1", [announced], end=1009)
    yield Case("X.3.2", [bytes([0x82, 0xFF]) + struct.pack(">Q", (1 << 63) - 1) + b"mask"], end=1009)
    half = bytes(LIMIT // 2)
    pieces = [frame(BINARY, half, fin=False), frame(CONTINUATION, half, fin=False), frame(CONTINUATION, b"x")]
    yield Case("X.3.3", pieces, end=1009)
    yield echo("X.3.4", BINARY, b"behind a large one")
    # The length alone decides: neither mask nor payload has come.
    yield Case("X.3.5", [announced[:10]], end=1009)
