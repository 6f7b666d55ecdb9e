"""1: payloads of every form of length. 3: reserved bits. 4: reserved opcodes."""

from ..case import Case, echo, kinds
from ..frames import PING, TEXT, frame

SIZES = (0, 125, 126, 127, 128, 65535, 65536)
HELLO = (TEXT, b"Hello, world!")


def cases():
    for group, opcode in kinds():
        filling = b"*" if opcode == TEXT else b"\xfe"
        for index, size in enumerate(SIZES, 1):
            yield echo(f"1.{group}.{index}", opcode, filling * size)
        yield echo(f"1.{group}.8", opcode, filling * 65536, chop=997)
    yield from _reserved_bits()
    yield from _reserved_opcodes()


def _reserved_bits():
    hello = frame(*HELLO)
    yield Case("3.1", [frame(*HELLO, reserved=1)], end=1002)
    yield Case("3.2", [hello, frame(*HELLO, reserved=2), frame(PING)], messages=[HELLO], end=1002)
    yield Case("3.3", [hello, frame(*HELLO, reserved=3), frame(PING)], messages=[HELLO], end=1002)
    yield Case("3.4", [hello, frame(*HELLO, reserved=4), frame(PING)], messages=[HELLO], end=1002, chop=1)
    yield Case("3.5", [frame(2, b"\xff\xfe" * 4, reserved=5)], end=1002)
    yield Case("3.6", [frame(PING, b"\xff\xfe" * 4, reserved=6)], end=1002)
    yield Case("3.7", [frame(8, b"\x03\xe8", reserved=7)], end=1002)


def _reserved_opcodes():
    hello = frame(*HELLO)
    for group, first in ((1, 3), (2, 11)):
        yield Case(f"4.{group}.1", [frame(first)], end=1002)
        yield Case(f"4.{group}.2", [frame(first + 1, b"reserved")], end=1002)
        yield Case(f"4.{group}.3", [hello, frame(first + 2), frame(PING)], messages=[HELLO], end=1002)
        yield Case(f"4.{group}.4", [hello, frame(first + 3, b"\xff"), frame(PING)], messages=[HELLO], end=1002)
        chopped = [hello, frame(first + 4, b"reserved"), frame(PING)]
        yield Case(f"4.{group}.5", chopped, messages=[HELLO], end=1002, chop=1)
