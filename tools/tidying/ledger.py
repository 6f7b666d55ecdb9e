"""The `unsafe` ledger: per file of Sources, how many of each construct the compiler cannot check for us.

The committed table must be exactly what is there, so that each change to it is seen in review.
"""

import pathlib
import re

from .finding import Finding
from .functions import line_at

FILE = "tools/unsafe.ledger"

# Column title → what is counted, in code without comments and strings.
KINDS = {
    "unsafe": re.compile(r"(?<![.\w@])(?<!nonisolated\()unsafe\b(?!\s*[:,)])"),
    "pointer": re.compile(r"\bUnsafe\w*Pointer\b|\bOpaquePointer\b|\bUnmanaged\b"),
    "call": re.compile(r"\b(?:unsafe[A-Z]\w*|withUnsafe\w+|unsafelyUnwrapped|assumingMemoryBound)\b"),
    "wrapping": re.compile(r"&[-+*]"),
    "nonisolated": re.compile(r"\bnonisolated\(unsafe\)"),
    "unchecked": re.compile(r"@unchecked\s+Sendable\b"),
}

_HEADING = (
    "# What the compiler cannot check, counted per file. Written by `tools/tidy --update-ledger`; argue each change.\n"
)


def counted(sources):
    """{path: {kind: count}}; files without any are left out."""
    counts = {}
    for source in sources:
        if source.is_below("Sources") and source.language == "swift":
            kinds = {kind: len(pattern.findall(source.code)) for kind, pattern in KINDS.items()}
            if any(kinds.values()):
                counts[source.path] = kinds
    return counts


def text_of(counts):
    width = max((len(path) for path in counts), default=4)
    rows = [["file"] + list(KINDS)] + [[path] + list(kinds.values()) for path, kinds in sorted(counts.items())]
    return _HEADING + "".join(
        f"{row[0]:<{width}}" + "".join(f"  {cell:>{len(title)}}" for cell, title in zip(row[1:], KINDS)) + "\n"
        for row in rows
    )


def committed(root):
    file = pathlib.Path(root) / FILE
    if not file.exists():
        return {}
    rows = [line.split() for line in file.read_text().splitlines() if line and not line.startswith("#")]
    return {path: dict(zip(rows[0][1:], map(int, cells))) for path, *cells in rows[1:]}


def check(root, sources):
    recorded, present = committed(root), counted(sources)
    none = dict.fromkeys(KINDS, 0)
    code = {source.path: source.code for source in sources if source.path in present}
    for path in sorted(recorded.keys() | present.keys()):
        before, now = none | recorded.get(path, {}), present.get(path, none)
        for kind in KINDS:
            if now[kind] != before[kind]:
                yield _finding(path, kind, before[kind], now[kind], code.get(path))


def _finding(path, kind, before, now, code):
    advice = f"'{kind}' {before} → {now}: write why it is right beside it, then tools/tidy --update-ledger"
    last = None
    for last in KINDS[kind].finditer(code or ""):
        pass
    return Finding(path, line_at(code, last.start()) if last else 1, "unsafe-ledger", advice)


def write(root, sources):
    (pathlib.Path(root) / FILE).write_text(text_of(counted(sources)))
