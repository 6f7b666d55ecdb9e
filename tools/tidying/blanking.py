"""Blanks comments and string literals out of Swift and C, so that a rule about code reads only code.

Every function here keeps the text's length and its line breaks: an offset in the result is an offset in the source.
It knows nothing of any rule.
"""

import re

# A `/` begins a Swift regular expression only where no value has just ended; elsewhere it divides.
_VALUE_MAY_BEGIN = re.compile(r"(?:^|[=(,:\[{;!&|?~]|\b(?:return|in|case|where|try|await|unsafe))\s*$")
_BARE_REGEX = re.compile(r"/(?![\s/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n\[])+/")
_STRING_OPENING = re.compile(r'(#*)("""|")')
_EXTENDED_REGEX_OPENING = re.compile(r"(#+)/")


def blanked(text):
    """The same characters, each replaced by a space but for the line breaks."""
    return re.sub(r"[^\n]", " ", text)


def blank_swift(text):
    """Two views of Swift source: (code alone, code with its string literals). Quotation marks stay in both."""
    scanner = _SwiftScanner(text)
    scanner.scan_code(0, until_parenthesis=False)
    return "".join(scanner.code), "".join(scanner.with_strings)


class _SwiftScanner:
    """Walks the text once; each scan_ method starts at an offset and returns the one after what it consumed."""

    def __init__(self, text):
        self.text = text
        self.code = []
        self.with_strings = []

    def keep(self, start, end):
        self.code.append(self.text[start:end])
        self.with_strings.append(self.text[start:end])
        return end

    def drop_comment(self, start, end):
        self.code.append(blanked(self.text[start:end]))
        self.with_strings.append(blanked(self.text[start:end]))
        return end

    def drop_literal(self, start, end):
        self.code.append(blanked(self.text[start:end]))
        self.with_strings.append(self.text[start:end])
        return end

    def scan_code(self, offset, until_parenthesis):
        """To the end of the text, or to the parenthesis that closes an interpolation."""
        depth = 0
        while offset < len(self.text):
            character = self.text[offset]
            if until_parenthesis and character == ")" and depth == 0:
                return self.keep(offset, offset + 1)
            depth += {"(": 1, ")": -1}.get(character, 0)
            offset = self.scan_element(offset, character)
        return offset

    def scan_element(self, offset, character):
        if self.text.startswith("//", offset):
            end = self.text.find("\n", offset)
            return self.drop_comment(offset, end if end >= 0 else len(self.text))
        if self.text.startswith("/*", offset):
            return self.drop_comment(offset, _end_of_nested_comment(self.text, offset))
        if character in '"#' and (opening := _STRING_OPENING.match(self.text, offset)):
            return self.scan_string(opening)
        if character in "/#" and (end := self.end_of_regex(offset)):
            return self.drop_literal(offset, end)
        return self.keep(offset, offset + 1)

    def end_of_regex(self, offset):
        """Where the regular expression literal that begins here ends, or None when none does."""
        if opening := _EXTENDED_REGEX_OPENING.match(self.text, offset):
            closing = "/" + opening[1]
            end = self.text.find(closing, opening.end())
            return end + len(closing) if end >= 0 else None
        line_start = self.text.rfind("\n", 0, offset) + 1
        if not _VALUE_MAY_BEGIN.search(self.text[line_start:offset]):
            return None
        literal = _BARE_REGEX.match(self.text, offset)
        return literal.end() if literal else None

    def scan_string(self, opening):
        """A string literal of any kind; the code inside its interpolations stays code."""
        pounds, quotes = opening.groups()
        escape, closing = "\\" + pounds, quotes + pounds
        offset = self.keep(opening.start(), opening.end())
        while offset < len(self.text):
            if self.text.startswith(closing, offset):
                return self.keep(offset, offset + len(closing))
            if self.text.startswith(escape + "(", offset):
                self.drop_literal(offset, offset + len(escape))
                offset = self.keep(offset + len(escape), offset + len(escape) + 1)
                offset = self.scan_code(offset, until_parenthesis=True)
            elif self.text.startswith(escape, offset):
                offset = self.drop_literal(offset, min(offset + len(escape) + 1, len(self.text)))
            elif self.text[offset] == "\n" and quotes == '"':
                return offset  # An unclosed literal does not compile; it ends here so that one slip blanks one line.
            else:
                offset = self.drop_literal(offset, offset + 1)
        return offset


def _end_of_nested_comment(text, start):
    depth = 0
    for mark in re.compile(r"/\*|\*/").finditer(text, start):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(text)


_C_ELEMENT = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_C_DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\\n|\\.)*", re.MULTILINE)


def blank_c(text):
    """C source without comments, literals and preprocessor lines (whose braces need not match)."""
    without_literals = _C_ELEMENT.sub(lambda element: blanked(element[0]), text)
    return _C_DIRECTIVE.sub(lambda directive: blanked(directive[0]), without_literals)
