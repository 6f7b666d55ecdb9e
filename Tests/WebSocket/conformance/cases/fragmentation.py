"""5: messages in fragments, and control frames among them."""

from ..case import Case
from ..frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame

ONE, TWO = b"fragment1", b"fragment2"
WHOLE = (TEXT, ONE + TWO)


def cases():
    first, last = frame(TEXT, ONE, fin=False), frame(CONTINUATION, TWO)
    more, ping = frame(CONTINUATION, TWO, fin=False), frame(PING, b"ping")
    yield from _fragmented_control()
    yield Case("5.3", [first, last], messages=[WHOLE])
    yield Case("5.4", [first + last], messages=[WHOLE])
    yield Case("5.5", [first, last], messages=[WHOLE], chop=1)
    yield Case("5.6", [first, ping, last], messages=[WHOLE], pongs=[b"ping"])
    yield Case("5.7", [first + ping + last], messages=[WHOLE], pongs=[b"ping"])
    yield Case("5.8", [first, ping, last], messages=[WHOLE], pongs=[b"ping"], chop=1)
    yield from _out_of_order(first, last, more)
    yield from _pings_between(first, ping)


def _fragmented_control():
    for number, opcode in ((1, PING), (2, PONG)):
        yield Case(f"5.{number}", [frame(opcode, ONE, fin=False), frame(CONTINUATION, TWO)], end=1002)


def _out_of_order(first, last, more):
    for number, chop in ((9, None), (11, 1)):
        yield Case(f"5.{number}", [frame(CONTINUATION, b"none"), frame(TEXT, b"Hi")], end=1002, chop=chop)
    yield Case("5.10", [frame(CONTINUATION, b"none") + frame(TEXT, b"Hi")], end=1002)
    for number, chop in ((12, None), (14, 1)):
        pieces = [frame(CONTINUATION, b"none", fin=False), frame(TEXT, b"Hi")]
        yield Case(f"5.{number}", pieces, end=1002, chop=chop)
    yield Case("5.13", [frame(CONTINUATION, b"none", fin=False) + frame(TEXT, b"Hi")], end=1002)
    yield Case("5.15", [first, last, more, frame(TEXT, b"Hi")], messages=[WHOLE], end=1002)
    twice = [frame(CONTINUATION, ONE, fin=False), frame(TEXT, TWO, fin=False), frame(CONTINUATION, b"3")]
    yield Case("5.16", twice * 2, end=1002)
    ended = [frame(CONTINUATION, ONE), frame(TEXT, TWO, fin=False), frame(CONTINUATION, b"3")]
    yield Case("5.17", ended * 2, end=1002)
    yield Case("5.18", [first, frame(TEXT, TWO)], end=1002)


def _pings_between(first, ping):
    """Five fragments, pings among them, sent with and without a break."""
    def more(number, fin=False):
        return frame(CONTINUATION, b"fragment%d" % number, fin=fin)

    pieces = [first, more(2), ping, more(3), more(4), ping, more(5, True)]
    message = (TEXT, b"".join(b"fragment%d" % number for number in range(1, 6)))
    yield Case("5.19", pieces, messages=[message], pongs=[b"ping"] * 2)
    yield Case("5.20", [b"".join(pieces)], messages=[message], pongs=[b"ping"] * 2)
    yield Case("X.5.1", [frame(BINARY, b"", fin=False)] + [frame(CONTINUATION, b"", fin=False)] * 50 + [more(1, True)],
               messages=[(BINARY, b"fragment1")])
    yield Case("X.5.2", [frame(TEXT, b"", fin=False), frame(CONTINUATION)], messages=[(TEXT, b"")])
    yield Case("X.5.3", [first, frame(BINARY, TWO, fin=False)], end=1002)
