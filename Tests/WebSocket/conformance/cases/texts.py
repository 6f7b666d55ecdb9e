"""6: texts and their encoding, after the sequences of Unicode 15, table 3-7, and Markus Kuhn's stress test."""

from ..case import Case, fragments, text
from ..frames import CONTINUATION, TEXT, frame

KOSME = "κόσμε".encode()
BEFORE_BAD = KOSME + b"\xf4\x90\x80\x80" + b"edited"
HELLO = "Hello-µ@ßöäüàá-UTF-8!!".encode()


def cases():
    yield from _empty_and_fragmented()
    yield from _bad_in_places()
    yield from _good(5, [KOSME, "Ω ≈ ç √".encode(), b"ascii only", "日本語".encode(), "🐦🐦".encode()])
    yield from (text(f"6.6.{count}", KOSME[:count], end=None if _is_text(KOSME[:count]) else 1007)
                for count in range(1, len(KOSME) + 1))
    yield from _good(7, [b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"])
    yield from _bad(8, [b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"])
    yield from _good(9, [b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"])
    yield from _bad(10, [b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"])
    edges = [chr(point).encode() for point in (0xD7FF, 0xE000, 0xFFFD, 0x10FFFF)]
    yield from _judged(11, [*edges, b"\xf4\x90\x80\x80"])
    yield from _malformed()
    yield from _surrogates()
    planes = [chr(plane << 16 | low).encode() for plane in range(17) for low in (0xFFFE, 0xFFFF)]
    yield from _good(22, planes)
    yield from _good(23, [chr(point).encode() for point in range(0xFFF9, 0x10000)])


def _is_text(payload):
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _judged(group, payloads):
    """Python's own decoder says which of them are texts."""
    for index, payload in enumerate(payloads, 1):
        yield text(f"6.{group}.{index}", payload, end=None if _is_text(payload) else 1007)


def _good(group, payloads):
    assert all(map(_is_text, payloads))
    return _judged(group, payloads)


def _bad(group, payloads):
    assert not any(map(_is_text, payloads))
    return _judged(group, payloads)


def _empty_and_fragmented():
    yield text("6.1.1", b"")
    yield Case("6.1.2", fragments(TEXT, [b""] * 3), messages=[(TEXT, b"")])
    yield Case("6.1.3", fragments(TEXT, [b"", b"middle", b""]), messages=[(TEXT, b"middle")])
    yield text("6.2.1", HELLO)
    yield Case("6.2.2", fragments(TEXT, [HELLO[:7], HELLO[7:]]), messages=[(TEXT, HELLO)])
    for number, whole in ((3, HELLO), (4, KOSME)):
        pieces = [whole[index:index + 1] for index in range(len(whole))]
        yield Case(f"6.2.{number}", fragments(TEXT, pieces), messages=[(TEXT, whole)])


def _bad_in_places():
    """In one frame, byte by byte in frames, and cut before, at and behind what is wrong."""
    yield text("6.3.1", BEFORE_BAD, end=1007)
    pieces = [BEFORE_BAD[index:index + 1] for index in range(len(BEFORE_BAD))]
    yield Case("6.3.2", fragments(TEXT, pieces), end=1007)
    bad = len(KOSME)
    # The text goes on after these fragments, or never does: it is refused with the byte that shows it.
    yield Case("6.4.1", fragments(TEXT, [BEFORE_BAD[:bad], BEFORE_BAD[bad:bad + 4], BEFORE_BAD[bad + 4:]]), end=1007)
    yield Case("6.4.2", fragments(TEXT, [BEFORE_BAD[:bad + 3], BEFORE_BAD[bad + 3:]]), end=1007)
    unfinished = frame(CONTINUATION, BEFORE_BAD[bad:bad + 2], fin=False)
    yield Case("6.4.3", [frame(TEXT, BEFORE_BAD[:bad], fin=False), unfinished], end=1007)
    yield Case("6.4.4", [frame(TEXT, BEFORE_BAD[:bad + 2], fin=False)], end=1007, chop=1)


def _malformed():
    continuations = bytes(range(0x80, 0xC0))
    yield from _bad(12, [b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf" * 2, b"\x80\xbf\x80\xbf\x80",
                         b"\x80\xbf" * 3, continuations])
    leads = (range(0xC0, 0xE0), range(0xE0, 0xF0), range(0xF0, 0xF8), range(0xF8, 0xFC), range(0xFC, 0xFE))
    yield from _bad(13, [b"".join(bytes([lead, 0x20]) for lead in group) for group in leads])
    cut = [b"\xc0", b"\xe0\x80", b"\xf0\x80\x80", b"\xf8\x80\x80\x80", b"\xfc\x80\x80\x80\x80",
           b"\xdf", b"\xef\xbf", b"\xf7\xbf\xbf", b"\xfb\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf"]
    yield from _bad(14, cut)
    yield from _bad(15, [b"".join(cut)])
    yield from _bad(16, [b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"])
    yield from _bad(17, [b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf",
                         b"\xfc\x80\x80\x80\x80\xaf"])
    yield from _bad(18, [b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf",
                         b"\xfc\x83\xbf\xbf\xbf\xbf"])
    yield from _bad(19, [b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80",
                         b"\xfc\x80\x80\x80\x80\x80"])


def _surrogates():
    high, low = (b"\xed\xa0\x80", b"\xed\xad\xbf", b"\xed\xae\x80", b"\xed\xaf\xbf"), (b"\xed\xb0\x80", b"\xed\xbf\xbf")
    yield from _bad(20, [*high, low[0], b"\xed\xbe\x80", low[1]])
    yield from _bad(21, [first + second for first in high for second in low])
