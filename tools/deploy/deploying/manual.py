"""Manual pages from what swift-argument-parser says of the command (`--experimental-dump-help`, as JSON on stdin).

    manual write FOLDER VERSION    one page for the command and one for each of its verbs
    manual check FOLDER            every verb has its page, and every flag is on it

man(7) in lines short enough for any viewer. Knows nothing of Apus but its exit codes.
"""

import datetime
import json
import os
import pathlib
import re
import sys
import textwrap

from . import report

_LINE_WIDTH = 76
_EXIT_CODES = (
    ("0", "It worked."),
    ("1", "It failed at run time."),
    ("2", "Usage: an unknown verb or flag, or a value that cannot be read."),
    ("3", "Invalid configuration: a value that can be read and not be used."),
    ("4", "Cannot bind an address."),
    ("5", "This host is not fit: no io_uring to run on, or a limit that is too low."),
    ("6", "Drained with connections left, which were cut off."),
)
_INHERITED = {"help"}  # A verb that the parser adds; it says what --help says.


class Command:
    """A verb, with its way from the root: `apus bench packet`."""

    def __init__(self, described, above=()):
        self.words = (*above, described["commandName"])
        self.abstract = described.get("abstract", "")
        self.discussion = described.get("discussion", "")
        self.arguments = [each for each in described.get("arguments", []) if each["shouldDisplay"]]
        verbs = [each for each in described.get("subcommands", []) if each["shouldDisplay"]]
        self.verbs = [Command(each, self.words) for each in verbs if each["commandName"] not in _INHERITED]

    @property
    def page(self):
        return "-".join(self.words)

    def all(self):
        yield self
        for verb in self.verbs:
            yield from verb.all()


def read(stream):
    return Command(json.load(stream)["command"])


# --- roff -------------------------------------------------------------------------------------------------------------


def escaped(text):
    """As text, never as a request: no dash becomes a hyphen, no quote a typographic one."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq").replace("`", "\\(ga")
    text = text.replace("^", "\\(ha").replace("~", "\\(ti").replace('"', "\\(dq")
    return "\\&" + text if text.startswith(".") else text


def filled(text):
    """A paragraph: wrapped before it is escaped, so that no escape is broken."""
    lines = textwrap.wrap(" ".join(text.split()), _LINE_WIDTH, break_long_words=False, break_on_hyphens=False)
    return [escaped(line) for line in lines]


def bold(text):
    return f"\\fB{escaped(text)}\\fR"


def italic(text):
    return f"\\fI{escaped(text)}\\fR"


def discussion(text):
    """Paragraphs are filled; what is indented is shown as it stands."""
    lines = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        lines.append(".PP")
        if all(line.startswith("  ") for line in block.splitlines()):
            lines += [".RS 4", ".nf", *(escaped(line.strip()) for line in block.splitlines()), ".fi", ".RE"]
        else:
            lines += filled(block)
    return lines[1:]  # The section's heading begins a paragraph already.


def _spelled(name):
    return ("-" if name["kind"] == "short" else "--") + name["name"]


def _value(argument):
    return " " + italic(argument["valueName"].upper()) if argument["kind"] == "option" else ""


def tag(argument):
    if argument["kind"] == "positional":
        return italic(argument["valueName"].upper())
    return ", ".join(bold(_spelled(name)) for name in argument["names"]) + _value(argument)


def synopsis(command):
    """One line a piece: what has to be given is bare, what may be given in brackets."""
    lines = [bold(" ".join(command.words))]
    if command.verbs:
        lines.append(italic("VERB"))
    options = [each for each in command.arguments if each["kind"] != "positional"]
    required = [each for each in options if not each["isOptional"]]
    lines += [bold(_spelled(each["preferredName"])) + _value(each) for each in required]
    if len(required) < len(options):
        lines.append("[" + italic("OPTION") + "...]")
    for each in command.arguments:
        if each["kind"] == "positional":
            shown = italic(each["valueName"].upper()) + ("..." if each["isRepeating"] else "")
            lines.append(f"[{shown}]" if each["isOptional"] else shown)
    return lines


def described(argument):
    """What the parser prints in its help: the abstract, the values, the default."""
    parts = [argument.get("abstract", ""), argument.get("discussion", "")]
    values = argument.get("allValues") or []
    if values and not all(value in parts[0] for value in values):
        parts.append(f"One of {', '.join(values)}.")
    if argument.get("defaultValue") and argument["kind"] != "flag":
        parts.append(f"(default: {argument['defaultValue']})")
    return " ".join(part for part in parts if part)


def section(title, lines):
    return [f".SH {title}", *lines] if lines else []


def tagged(pairs):
    lines = []
    for head, body in pairs:
        lines += [".TP", head, *(filled(body) or ["\\&"])]
    return lines


def page(command, parents, version, date):
    others = [each.page for each in (*parents, *command.verbs)]
    references = [f".BR {escaped(name)} (1){',' if name != others[-1] else ''}" for name in others]
    summary = command.abstract.rstrip(".")
    lines = [
        f'.\\" Written by tools/manual from the executable itself: change the verb, then write the page anew.',
        f'.TH {escaped(command.page.upper())} 1 {date} "{version}" "Apus"',
        *section("NAME", [f"{escaped(command.page)} \\- {escaped(summary[:1].lower() + summary[1:])}"]),
        *section("SYNOPSIS", synopsis(command)),
        *section("DESCRIPTION", discussion(command.discussion) or filled(command.abstract)),
        *section("VERBS", tagged((f".BR {escaped(each.page)} (1)", each.abstract) for each in command.verbs)),
        *section("OPTIONS", tagged((tag(each), described(each)) for each in command.arguments)),
        *section("EXIT STATUS", tagged((bold(code), meaning) for code, meaning in _EXIT_CODES)),
        *section("SEE ALSO", references),
    ]
    return "\n".join(lines) + "\n"


def _date():
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    moment = datetime.datetime.now(datetime.UTC)
    if epoch:
        moment = datetime.datetime.fromtimestamp(int(epoch), datetime.UTC)
    return f"{moment:%Y-%m-%d}"


def write(root, folder, version):
    folder.mkdir(parents=True, exist_ok=True)

    def write_one(command, parents):
        (folder / f"{command.page}.1").write_text(page(command, parents, version, _date()), encoding="utf-8")
        for verb in command.verbs:
            write_one(verb, (*parents, command))

    write_one(root, ())


def check(root, folder):
    outcome = report.Report("manual")
    expected = {f"{command.page}.1" for command in root.all()}
    found = {path.name for path in folder.iterdir()}
    outcome.confirm(found == expected, f"pages that are missing or stale: {sorted(found ^ expected)}")
    for command in root.all():
        text = (folder / f"{command.page}.1").read_text(encoding="utf-8")
        for argument in command.arguments:
            outcome.confirm(f".TP\n{tag(argument)}\n" in text, f"{command.page}.1 lacks {tag(argument)}")
    outcome.note(f"{len(expected)} pages")
    outcome.end()


def main():
    action, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    root = read(sys.stdin)
    if action == "write":
        write(root, folder, sys.argv[3])
    else:
        check(root, folder)


if __name__ == "__main__":
    main()
