"""Words and constructs that have a better one, each with its replacement."""

import re
from typing import NamedTuple

from .finding import Finding
from .functions import body_opening, line_at
from .imports import MODULES, module_of

CODE_LANGUAGES = {"swift", "c", "python", "shell"}


def opts_out(source, line):
    """Whether the line, or a comment alone on the line before it, says `tidy: <reason>`."""
    own = source.lines[line - 1]
    before = source.lines[line - 2].strip() if line > 1 else ""
    reason = re.compile(r"(?://|#|/\*)\s*tidy:\s*\S{2,}.*\S")
    return bool(reason.search(own)) or bool(reason.match(before))


class Ban(NamedTuple):
    pattern: re.Pattern
    advice: str


# This file may not contain the words it forbids: they are written in two pieces.
_PROSE_BANS = [
    Ban(re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b"), "do it now, or open an issue and say nothing here"),
    Ban(re.compile(r"(?<!/)\bmas" r"ters?\b", re.IGNORECASE), "say primary, leader or main"),
    Ban(re.compile(r"\bsla" r"ves?\b", re.IGNORECASE), "say replica, follower or worker"),
    Ban(re.compile(r"\bwhite" r"list", re.IGNORECASE), "say allowlist"),
    Ban(re.compile(r"\bblack" r"list", re.IGNORECASE), "say denylist"),
]

_SWIFT_BANS = [
    Ban(re.compile(r"\btry\?"), "handle the error: do/catch or a typed throw, never a swallowed one"),
    Ban(
        re.compile(r"\btry!"), "handle the error, or preconditionFailure with a message that says why it cannot happen"
    ),
    Ban(re.compile(r"\bfatalError\b"), "use preconditionFailure with a message"),
    Ban(re.compile(r"\bpreconditionFailure\(\s*\)"), "say in a message what was broken"),
]

_UNCHECKED = Ban(re.compile(r"-Oun" r"checked"), "build with -O: bounds stay checked")
_UNSAFE_FLAGS = Ban(
    re.compile(r"\bunsafeFlags\b"), "SwiftPM refuses a dependency that uses them: Apus is a library too"
)

_MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:work|opt|root|home/\w+)/")
_REGISTRY_HOST = re.compile(
    r"\b(?:pypi\.org|files\.pythonhosted\.org|registry\.npmjs\.org|(?:index|static)\.crates\.io|proxy\.golang\.org"
    r"|(?:deb|security|snapshot)\.debian\.org)\b|//[\w.-]+\.(?:internal|corp|lan|local)\b"
)


def check(source):
    yield from _check_machine(source)
    if source.language in CODE_LANGUAGES | {"prose"}:
        yield from _matches(source, source.text, _PROSE_BANS)
    if source.language in CODE_LANGUAGES:
        text = source.code_with_strings if source.language == "swift" else source.text
        yield from _matches(source, text, [_UNCHECKED])
    if source.path == "Package.swift":
        yield from _matches(source, source.code, [_UNSAFE_FLAGS])
    if source.language == "swift":
        yield from _matches(source, source.code, _SWIFT_BANS)
        yield from _check_names(source)


def _check_machine(source):
    for number, line in enumerate(source.lines, 1):
        if path := _MACHINE_PATH.search(line):
            yield Finding(source.path, number, "machine-path", f"'{path[0]}' is one machine's path: make it relative")
        if host := _REGISTRY_HOST.search(line):
            yield Finding(
                source.path, number, "machine-path", f"'{host[0]}' is a registry's host: name the package only"
            )


def _matches(source, text, bans):
    for ban in bans:
        for match in ban.pattern.finditer(text):
            line = line_at(text, match.start())
            if not opts_out(source, line):
                yield Finding(source.path, line, "banned-word", f"'{match[0]}': {ban.advice}")


_TYPE = re.compile(r"(?<!import )\b(?:struct|class|enum|actor|protocol|typealias|associatedtype)\s+`?(\w+)")
_VALUE = re.compile(r"\b(?:let|var|func|case)\s+`?(\w+)|\bfor\s+(\w+)\s+in\b")
_TUPLE = re.compile(r"\b(?:let|var|for)\s*\(([^()\n]*)\)")
_CLOSURE = re.compile(r"\{\s*(?:\[[^\]\n]*\]\s*)?\(?(\w+(?:\s*,\s*\w+)*)\)?\s+in\b")
_SIGNATURE = re.compile(r"\bfunc\s+[^\s(<]+|(?<![.\w])(?:init|subscript)\b[?!]?(?=\s*[<(])")
_PARAMETER = re.compile(r"(?:^|[(,])\s*(?:@\w+\s+)*(\w+)(?:\s+(\w+))?\s*:(?!:)")

_EMPTY_WORDS = {"manager", "managers", "helper", "helpers", "util", "utils"}
_EMPTY_NAMES = {"data", "info"}


def declared_names(code):
    """(offset, name) of each name that Swift code declares: types, values, parameters."""
    for pattern in (_TYPE, _VALUE):
        for match in pattern.finditer(code):
            yield match.start(), next(name for name in match.groups() if name)
    for pattern in (_TUPLE, _CLOSURE):
        for match in pattern.finditer(code):
            yield from ((match.start(), name) for name in re.findall(r"\w+", match[1]))
    for match in _SIGNATURE.finditer(code):
        for parameter in _PARAMETER.finditer(_parenthesised(code, match.end())):
            yield from ((match.start(), name) for name in parameter.groups() if name)


def _parenthesised(code, offset):
    """The parameter list that begins at or after offset, with its parentheses."""
    start = code.find("(", offset)
    depth = 0
    for mark in re.compile(r"[()]").finditer(code, max(start, 0)):
        depth += 1 if mark[0] == "(" else -1
        if depth == 0:
            return code[start : mark.end()]
    return ""


def _is_empty_name(name):
    words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}
    return bool(words & _EMPTY_WORDS) or name.lower() in _EMPTY_NAMES


def _check_names(source):
    reported = set()
    for offset, name in declared_names(source.code):
        line = line_at(source.code, offset)
        if _is_empty_name(name) and (line, name) not in reported and not opts_out(source, line):
            reported.add((line, name))
            yield Finding(
                source.path, line, "banned-word", f"'{name}' says nothing: name the thing (bytes, lease, pool …)"
            )
    file_name = source.path.rsplit("/", 1)[-1].removesuffix(".swift")
    if _is_empty_name(file_name):
        yield Finding(source.path, 1, "banned-word", f"the file name '{file_name}' says nothing: name its noun")
    yield from _check_type_names(source)


def _check_type_names(source):
    if module_of(source) is None:
        return
    for match in _TYPE.finditer(source.code):
        if match[1] in MODULES:
            line = line_at(source.code, match.start())
            yield Finding(source.path, line, "type-name", f"{match[1]} is a module's name: name the type otherwise")


# --- switches ---------------------------------------------------------------------------------------------------------


def enum_cases(code):
    """The case names of each enum declared in Swift code, one set per enum."""
    for declaration in re.finditer(r"\benum\s+\w+", code):
        opening = body_opening(code, declaration.end())
        if opening is not None:
            body = "".join(_level_one(code, opening))
            yield {
                name
                for case in re.finditer(r"\bcase\s+([^\n]*(?:,\s*\n[^\n]*)*)", body)
                for name in re.findall(r"(?:^|,)\s*`?(\w+)", case[1])
            }


def _level_one(code, opening):
    """The characters directly inside a pair of braces; those of nested brackets are spaces."""
    depth = 0
    for character in code[opening:]:
        depth -= character in ")]}"
        if depth == 0 and character == "}":
            return
        yield character if depth == 1 or character == "\n" else " "
        depth += character in "([{"


def check_switches(source, own_enums):
    """Warns of a `default` in a switch whose other patterns are all cases of one enum of ours."""
    if source.language != "swift":
        return
    for switch in re.finditer(r"\bswitch\b", source.code):
        opening = body_opening(source.code, switch.end())
        if opening is None:
            continue
        body = "".join(_level_one(source.code, opening))
        default = re.search(r"(?<!@unknown )\bdefault\s*:", body)
        patterns = set(re.findall(r"\bcase\s+(?:let\s+|var\s+)?\.(\w+)", body))
        others = re.search(r"\bcase\s+(?!(?:let\s+|var\s+)?\.\w)", body)
        if default and patterns and not others and any(patterns <= cases for cases in own_enums):
            line = line_at(source.code, opening + default.start())
            if not opts_out(source, line):
                advice = "list the remaining cases: the compiler then finds this switch when a case is added"
                yield Finding(source.path, line, "default-case", advice, is_warning=True)
