"""A case: what is sent, and what a server that follows RFC 6455 does."""

from . import frames
from .frames import BINARY, TEXT, frame


class Case:
    """`end` is a close code, or one of the words of `Observation.end`. A case ends itself when its bytes make the
    server close; otherwise the player says goodbye with 1000, which comes back."""

    def __init__(self, name, sent, messages=(), pongs=(), end=None, chop=None):
        self.name, self.sent, self.chop = name, sent, chop
        self.messages, self.pongs = list(messages), list(pongs)
        self.ends_itself, self.end = end is not None, 1000 if end is None else end

    def pieces(self):
        """What is handed to the socket at a time: each frame, or `chop` bytes."""
        for piece in self.sent:
            step = self.chop or max(len(piece), 1)
            for start in range(0, len(piece), step):
                yield piece[start:start + step]

    def differences(self, seen):
        """{part: what came} where something else was expected."""
        expected = {"messages": self.messages, "pongs": self.pongs, "end": self.end}
        return {part: found for part, found in seen.parts().items() if found != expected[part]}


def echo(name, opcode, payload, **options):
    """A message that comes back."""
    return Case(name, [frame(opcode, payload)], messages=[(opcode, payload)], **options)


def text(name, payload, end=None):
    """A text in one frame: back when it is UTF-8, 1007 when not."""
    return Case(name, [frame(TEXT, payload)], messages=[] if end else [(TEXT, payload)], end=end)


def fragments(opcode, pieces):
    """One message, a frame for each piece."""
    last = len(pieces) - 1
    return [frame(opcode if index == 0 else frames.CONTINUATION, piece, fin=index == last)
            for index, piece in enumerate(pieces)]


def kinds():
    return ((1, TEXT), (2, BINARY))
