"""What may not appear in the files that every packet passes through: things that allocate, retain or suspend.

A line that is not on the packet's way says so: `// tidy: <reason>` on it or alone on the line before.
"""

import fnmatch
import re

from .finding import Finding
from .functions import line_at
from .words import opts_out

HOT_FILES = [
    "Sources/ApusServer/Shard*.swift",
    "Sources/ApusServer/Connection*.swift",
    "Sources/ApusServer/Slab*.swift",
    "Sources/ApusServer/Sessions/*.swift",
]

_TYPE = r"[A-Z][\w.]*(?:<[^\[\]\n]*>)?\??"
_COLLECTION = rf"(?:\[{_TYPE}(?:\s*:\s*{_TYPE})?\]|\b(?:Array|Dictionary|Set)<)"
_GROWTH = "growing collections allocate: reserve at start (a slab, a pool, InlineArray)"
_BANS = [
    (re.compile(r"\bany\s+\(?[A-Z]\w*"), "an existential allocates and calls through a table: be generic"),
    (re.compile(r"\b(?:async|await)\b"), "a shard never suspends: answer in a later turn"),
    (re.compile(r"\bTask\b"), "a shard starts no task: post to a mailbox"),
    (re.compile(r"\bString\b"), "a String allocates: keep the bytes (RawSpan) or use StaticString"),
    # What is constant or passed in cannot grow; what is a variable, is changed, is made or is returned here can.
    (re.compile(rf"\bvar\s+\w+\s*:\s*{_COLLECTION}|(?:\binout|->)\s*{_COLLECTION}"), _GROWTH),
    (re.compile(rf"{_COLLECTION}[^\[\]\n()]*\(|\b(?:Array|Dictionary|Set)\(|=\s*\[:?\]"), _GROWTH),
]


def is_hot(path):
    return any(fnmatch.fnmatch(path, pattern) for pattern in HOT_FILES)


def check(source):
    if not is_hot(source.path):
        return
    for pattern, advice in _BANS:
        for match in pattern.finditer(source.code):
            line = line_at(source.code, match.end() - 1)
            if not opts_out(source, line):
                yield Finding(source.path, line, "hot-path", f"'{match[0].strip(' =(')}': {advice}")


def check_first_comment(source):
    """Each file of Sources opens with what it is for and what it must never know."""
    if not source.is_below("Sources") or source.language not in {"swift", "c"}:
        return
    if not source.text.lstrip().startswith(("//", "/*")):
        yield Finding(source.path, 1, "first-comment", "begin with a comment: what is it for, what must it never know?")
