"""Where Python's `websockets` does otherwise than our echo, and why RFC 6455 allows both, or only ours.

The run fails on a difference that is not here, and on an entry that no case shows any more.
"""

import re
from typing import NamedTuple


class Difference(NamedTuple):
    cases: str
    parts: str
    section: str
    why: str

    def explains(self, name, part):
        return re.fullmatch(self.cases, name) is not None and part in self.parts.split()


DIFFERENCES = [
    Difference(
        r"3\.[2-4]|4\.[12]\.[345]|5\.15", "messages", "§7.1.7",
        "who fails a connection may stop at once; ours answers first what came whole before the fault, websockets "
        "hands messages to another task, whose answer may come too late"),
    Difference(
        r"6\.4\.[34]", "end", "§8.1",
        "a text is refused when it is found not to be UTF-8; ours looks at each fragment, websockets at the end of the "
        "message, which never comes here"),
    Difference(
        r"7\.1\.[56]", "end", "§5.4, §5.5",
        "control frames may stand between the fragments of a message, and a close is one: ours answers it with its "
        "code, websockets takes it for a fragment that is missing"),
    Difference(
        r"9\.[34]\.[12]", "messages end", "§10.4",
        "an implementation protects itself with limits of its own: both limit a message's bytes, websockets the number "
        "of its fragments too"),
    Difference(
        r"X\.2\.[1-6]", "messages end", "§5.2",
        "the minimal number of bytes must be used for a length: ours refuses the longer forms, websockets takes them"),
    Difference(
        r"X\.2\.[78]", "end", "§5.2",
        "the most significant bit of a length must be 0: ours names the fault, websockets finds the length too large "
        "first"),
]
