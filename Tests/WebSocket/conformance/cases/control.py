"""2: pings and pongs."""

from ..case import Case
from ..frames import PING, PONG, frame


def cases():
    for index, payload in enumerate((b"", b"Hello, world!", b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff", b"\xfe" * 125), 1):
        yield Case(f"2.{index}", [frame(PING, payload)], pongs=[payload])
    yield Case("2.5", [frame(PING, b"\xfe" * 126)], end=1002)
    yield Case("2.6", [frame(PING, b"\xfe" * 125)], pongs=[b"\xfe" * 125], chop=1)
    yield Case("2.7", [frame(PONG)])
    yield Case("2.8", [frame(PONG, b"unasked")])
    yield Case("2.9", [frame(PONG, b"unasked"), frame(PING, b"asked")], pongs=[b"asked"])
    ten = [b"payload-%d" % index for index in range(10)]
    yield Case("2.10", [frame(PING, payload) for payload in ten], pongs=ten)
    yield Case("2.11", [frame(PING, payload) for payload in ten], pongs=ten, chop=1)
