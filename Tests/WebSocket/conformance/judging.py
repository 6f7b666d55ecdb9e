"""Plays every case against both servers: ours has to do what the case says; where the other does something else, the
table of differences has to say why."""

from npro.rig import require

from . import client
from .differences import DIFFERENCES

# Ten cases take as long as this.
SILENCE_SECONDS = 5


def play(report, cases, ours, theirs, is_whole):
    """`theirs` is None where it cannot be had: then our side is judged alone. `is_whole`: no case is left out."""
    found = []
    for case in cases:
        report.play(f"case {case.name}", lambda case=case: _judge(case, ours, theirs, found))
    if theirs is not None and is_whole:
        report.play("differences: each entry is shown by a case", lambda: _require_shown(found))
        for difference in DIFFERENCES:
            names = sorted({name for shown, name in found if shown is difference})
            print(f"differs  {', '.join(names)} in {difference.parts}: RFC 6455 {difference.section}, {difference.why}")


def _judge(case, ours, theirs, found):
    seen = client.play(case, ours, "/echo")
    require(not case.differences(seen), f"expected {_shown(case)}, and saw {_brief(case.differences(seen))}")
    if theirs is None:
        return
    other = case.differences(client.play(case, theirs, "/echo", SILENCE_SECONDS))
    for part in other:
        entry = next((entry for entry in DIFFERENCES if entry.explains(case.name, part)), None)
        require(entry, f"websockets differs in {part}, and no entry says why: {_brief(other)}, not {_shown(case)}")
        found.append((entry, case.name))


def _require_shown(found):
    for difference in DIFFERENCES:
        require(any(shown is difference for shown, _ in found), f"no case shows {difference.cases} {difference.parts}")


def _shown(case):
    return _brief({"messages": case.messages, "pongs": case.pongs, "end": case.end})


def _brief(parts):
    return {part: _brief_value(value) for part, value in parts.items()}


def _brief_value(value):
    text = repr(value if not isinstance(value, list) else value[:3])
    count = f" ({len(value)})" if isinstance(value, list) else ""
    return (text if len(text) < 120 else text[:117] + "...") + count
