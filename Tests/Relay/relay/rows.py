"""ROWS.md names tests for each row of the specification: they must be there, or the list says nothing."""

import pathlib
import re

from npro.rig import require

TESTS = pathlib.Path(__file__).resolve().parents[2]


def play(report, rig):
    report.play("rows: each test that ROWS.md names is there", named)


def named():
    rows = [line for line in (TESTS / "Relay/ROWS.md").read_text().splitlines() if re.match(r"\| (4|10)\.", line)]
    require(len(rows) > 20, f"{len(rows)} rows were found")
    functions = set(re.findall(r"\bfunc (\w+)", _text("*.swift")))
    cases = _text("relay/*.py")
    missing = []
    for row in rows:
        tests = row.rstrip(" |").rpartition("|")[2]
        names, titles = re.findall(r"`([^`]+)`", tests), re.findall(r'"([^"]+)"', tests)
        require(names or titles, f"no test is named: {row}")
        missing += [name for name in names if name not in functions and not (TESTS / name).is_file()]
        missing += [title for title in titles if f'"{title}"' not in cases]
    require(not missing, f"no such tests: {missing}")


def _text(pattern):
    return "\n".join(path.read_text() for path in TESTS.rglob(pattern))
