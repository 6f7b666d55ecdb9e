"""7: how conversations end."""

import struct

from ..case import Case
from ..frames import CLOSE, CONTINUATION, PING, TEXT, close, frame

HELLO = (TEXT, b"Hello, world!")
VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999)
INVALID = (0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999)


def cases():
    goodbye = close(1000)
    yield Case("7.1.1", [frame(*HELLO)], messages=[HELLO])
    yield Case("7.1.2", [goodbye + goodbye], end=1000)
    yield Case("7.1.3", [goodbye + frame(PING)], end=1000)
    yield Case("7.1.4", [goodbye + frame(*HELLO)], end=1000)
    unfinished = frame(TEXT, b"one", fin=False)
    yield Case("7.1.5", [unfinished + goodbye + frame(CONTINUATION, b"two")], end=1000)
    yield Case("7.1.6", [unfinished, goodbye + frame(*HELLO) + frame(PING)], end=1000)
    yield from _payloads()
    for index, code in enumerate(VALID, 1):
        yield Case(f"7.7.{index}", [close(code)], end=code)
    for index, code in enumerate(INVALID, 1):
        yield Case(f"7.9.{index}", [close(code)], end=1002)
    yield Case("7.13.1", [close(5000)], end=1002)
    yield Case("7.13.2", [frame(CLOSE, struct.pack(">I", 65536))], end=1002)
    for index, code in enumerate((1012, 1013, 1014, 1015, 65535), 1):
        yield Case(f"X.7.{index}", [close(code)], end=code if code < 1015 else 1002)


def _payloads():
    yield Case("7.3.1", [frame(CLOSE)], end="close without code")
    yield Case("7.3.2", [frame(CLOSE, b"a")], end=1002)
    yield Case("7.3.3", [frame(CLOSE, b"\x03\xe8")], end=1000)
    yield Case("7.3.4", [close(1000, b"Hello World!")], end=1000)
    yield Case("7.3.5", [close(1000, b"*" * 123)], end=1000)
    yield Case("7.3.6", [close(1000, b"*" * 124)], end=1002)
    yield Case("7.5.1", [close(1000, "κόσμε".encode() + b"\xf4\x90\x80\x80edited")], end=1007)
    yield Case("X.7.6", [close(1000, "κόσμε".encode()[:-1])], end=1007)
    yield Case("X.7.7", [frame(CLOSE, b"\x03\xe8", fin=False)], end=1002)
