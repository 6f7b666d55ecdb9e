"""Long lines and long functions: committed counts per file that may only go down.

A file that is not in tools/tidy.ratchet.json has none. No count excuses a function over the hard stop.
"""

import json
import pathlib

from .finding import Finding
from .functions import functions_of
from .words import CODE_LANGUAGES

FILE = "tools/tidy.ratchet.json"
LINE_LENGTH_MAX = 120
FUNCTION_LINES_WORRY = 30
FUNCTION_LINES_MAX = 70

LONG_LINES = "linesOver120"
LONG_FUNCTIONS = "functionsOver30"


def _long_lines(source):
    if source.language not in CODE_LANGUAGES:
        return
    for number, line in enumerate(source.lines, 1):
        if len(line) > LINE_LENGTH_MAX:
            advice = f"{len(line)} characters, {LINE_LENGTH_MAX} at most: break the line"
            yield Finding(source.path, number, "line-length", advice)


def _long_functions(source):
    for function in functions_of(source):
        if FUNCTION_LINES_WORRY < function.body_line_count <= FUNCTION_LINES_MAX:
            advice = f"{function.name} has {function.body_line_count} lines, {FUNCTION_LINES_WORRY} at most: split it"
            yield Finding(source.path, function.line, "function-length", advice)


def check_hard_stop(source):
    for function in functions_of(source):
        if function.body_line_count > FUNCTION_LINES_MAX:
            advice = f"{function.name} has {function.body_line_count} lines, never over {FUNCTION_LINES_MAX}: split it"
            yield Finding(source.path, function.line, "function-length", advice)


def _debts(source):
    return {LONG_LINES: list(_long_lines(source)), LONG_FUNCTIONS: list(_long_functions(source))}


def committed(root):
    file = pathlib.Path(root) / FILE
    return json.loads(file.read_text()) if file.exists() else {}


def counted(sources):
    """{path: {kind: count}} of what is there now; files and kinds without any are left out."""
    counts = {}
    for source in sources:
        kinds = {kind: len(findings) for kind, findings in _debts(source).items() if findings}
        if kinds:
            counts[source.path] = kinds
    return counts


def check(root, sources):
    limits = committed(root)
    for source in sources:
        for kind, findings in _debts(source).items():
            limit = limits.get(source.path, {}).get(kind, 0)
            if len(findings) > limit:
                yield from findings
            elif len(findings) < limit:
                advice = f"{kind} {limit} → {len(findings)}, well done: keep it with tools/tidy --update-ratchet"
                yield Finding(source.path, 1, "ratchet", advice)
    present = {source.path for source in sources}
    for path in sorted(set(limits) - present):
        yield Finding(FILE, 1, "ratchet", f"{path} is gone: run tools/tidy --update-ratchet")


def raised(root, sources):
    """The counts that an update would raise, as sentences."""
    limits = committed(root)
    return [
        f"{path}: {kind} {limits.get(path, {}).get(kind, 0)} → {count}"
        for path, kinds in sorted(counted(sources).items())
        for kind, count in sorted(kinds.items())
        if count > limits.get(path, {}).get(kind, 0)
    ]


def write(root, sources):
    text = json.dumps(counted(sources), indent=2, sort_keys=True) + "\n"
    (pathlib.Path(root) / FILE).write_text(text)
