"""Finds functions and counts the lines of their bodies, in Swift, C and Python.

A body's length is the number of lines between its braces; one written on a single line counts as one. In Python it
runs from the first statement to the last.
"""

import ast
import re
from typing import NamedTuple

from . import blanking


class Function(NamedTuple):
    name: str
    line: int
    body_line_count: int


def line_at(text, offset):
    return text.count("\n", 0, offset) + 1


def functions_of(source):
    """The functions of a source file in any of the languages we write."""
    if source.language == "swift":
        return swift_functions(source.code)
    if source.language == "c":
        return c_functions(source.text)
    if source.language == "python":
        return python_functions(source.text)
    return []


_SWIFT_FUNCTION = re.compile(
    r"""
    \bfunc\s+(?P<func>`?\w+`?|[-+*/=<>!&|^~%.?]+)
    | (?<![.\w])(?P<init>init|subscript)\b(?=[?!]?\s*[<(])
    | (?<![.\w])(?P<deinit>deinit)\b
    | \bvar\s+(?P<var>`?\w+`?)\s*:
""",
    re.VERBOSE,
)


def swift_functions(code):
    """Functions, initialisers, subscripts and computed properties, from code that was blanked."""
    found = []
    for start in _SWIFT_FUNCTION.finditer(code):
        opening = body_opening(code, start.end(), is_property=start["var"] is not None)
        if opening is not None:
            closing = matching_brace(code, opening)
            name = start["func"] or start["init"] or start["deinit"] or start["var"]
            found.append(Function(name, line_at(code, start.start()), _lines_between(code, opening, closing)))
    return found


_SIGNATURE_GOES_ON_BEFORE = re.compile(r"\s*(?:\{|->|where\b|throws\b|rethrows\b|async\b)")
_SIGNATURE_GOES_ON_AFTER = re.compile(r"(?:->|,|:|&|==|\bwhere|\bsome|\bany|\(|\[)\s*$")


def body_opening(code, offset, is_property=False):
    """The brace that opens the body of the declaration whose signature goes on at offset; None if it has no body."""
    depth = 0
    for index in range(offset, len(code)):
        character = code[index]
        if character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif depth == 0 and character == "{":
            return index
        elif depth == 0 and character in "};":
            return None
        elif depth == 0 and is_property and character == "=" and code[index + 1 : index + 2] != "=":
            return None
        elif depth == 0 and character == "\n" and not _signature_goes_on(code, offset, index):
            return None
    return None


def _signature_goes_on(code, start, line_break):
    if _SIGNATURE_GOES_ON_BEFORE.match(code, line_break):
        return True
    return _SIGNATURE_GOES_ON_AFTER.search(code[start:line_break]) is not None


def matching_brace(code, opening):
    depth = 0
    for brace in re.compile(r"[{}]").finditer(code, opening):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return len(code)


def _lines_between(code, opening, closing):
    return max(1, code.count("\n", opening, closing) - 1)


_C_NAME = re.compile(r"(\w+)\s*\(")


def c_functions(text):
    """Functions at file level: a brace that follows a parenthesis."""
    code = blanking.blank_c(text)
    found, offset = [], 0
    while body := re.compile(r"[{};]").search(code, offset):
        offset = body.end()
        if body[0] != "{":
            continue
        closing = matching_brace(code, body.start())
        signature = re.split(r"[;}]", code[: body.start()])[-1]
        name = _C_NAME.search(signature)
        if name and signature.rstrip().endswith(")"):
            found.append(Function(name[1], line_at(code, body.start()), _lines_between(code, body.start(), closing)))
        # The functions inside `extern "C" { … }` are at file level too.
        offset = body.end() if signature.strip() == "extern" else closing + 1
    return found


def python_functions(text):
    return [
        Function(node.name, node.lineno, node.end_lineno - node.body[0].lineno + 1)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
    ]
