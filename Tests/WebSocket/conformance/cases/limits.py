"""9: large messages, small pieces, many messages. 10: a message larger than the pieces it is sent in."""

from ..case import Case, echo, fragments, kinds
from ..frames import TEXT, frame

KIB, MIB = 1 << 10, 1 << 20


def cases(is_quick):
    """Quick: a sixteenth of the bytes, the same shapes."""
    scale = 16 if is_quick else 1
    for group, opcode in kinds():
        for index, size in enumerate((64 * KIB, 256 * KIB, MIB, 4 * MIB, 8 * MIB, 16 * MIB), 1):
            yield echo(f"9.{group}.{index}", opcode, _filling(opcode, size // scale))
    for group, opcode in ((3, 1), (4, 2)):
        yield from _fragmented(group, opcode, 4 * MIB // scale)
    for group, opcode in ((5, 1), (6, 2)):
        for index in range(1, 7):
            payload = _filling(opcode, MIB // scale)
            yield echo(f"9.{group}.{index}", opcode, payload, chop=64 << (index - 1))
    yield from _many(1000 // scale)
    payload = b"*" * 65536
    yield Case("10.1.1", fragments(TEXT, _pieces(payload, 1300)), messages=[(TEXT, payload)])


def _filling(opcode, size):
    return (b"*" if opcode == TEXT else b"\xfe") * size


def _pieces(payload, size):
    return [payload[start:start + size] for start in range(0, len(payload), size)]


def _fragmented(group, opcode, size):
    for index in range(9):
        payload = _filling(opcode, size)
        pieces = fragments(opcode, _pieces(payload, 64 << (2 * index)))
        # By the hundred: what is measured is not how often a socket is called.
        sent = [b"".join(pieces[start:start + 100]) for start in range(0, len(pieces), 100)]
        yield Case(f"9.{group}.{index + 1}", sent, messages=[(opcode, payload)])


def _many(count):
    for group, opcode in ((7, 1), (8, 2)):
        for index, size in enumerate((0, 16, 64, 256, KIB, 4 * KIB), 1):
            payload = _filling(opcode, size)
            yield Case(f"9.{group}.{index}", [frame(opcode, payload)] * count, messages=[(opcode, payload)] * count)
