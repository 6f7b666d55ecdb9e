"""The report: targets, tables as text, and the conditions under which they were measured."""
import json
import math
import os
import platform
import shlex
import sys
import time
from dataclasses import dataclass

from .figures import Spread
from .host import BENCHMARKS, PEERS, ROOT, cpu_model, first_line, say


@dataclass(frozen=True)
class Target:
    what: str
    value: float
    low: float = 0.0
    high: float = math.inf  # no bound either way: shown to compare with
    control: float = None  # what the same binary twice shows in the same scenario

    @staticmethod
    def of(what, value, control=None, **bounds):
        """Of numbers, or of Spreads, whose medians count."""
        value, control = (x.median if isinstance(x, Spread) else x for x in (value, control))
        return Target(what, value, control=control, **bounds)

    @property
    def is_bounded(self):
        return self.low > 0 or self.high < math.inf

    @property
    def verdict(self):
        if not self.is_bounded:
            return ""
        return "PASS" if self.low <= self.value <= self.high else "MISS"

    @property
    def bound(self):
        if not self.is_bounded:
            return "–"
        if self.high == math.inf:
            return f"≥ {self.low:.2f}"
        return f"≤ {self.high:.2f}" if self.low == 0 else f"{self.low:.2f} … {self.high:.2f}"

    @property
    def row(self):
        control = None if self.control is None else f"{self.control:.3f}"
        return [self.verdict, self.what, f"{self.value:.3f}", self.bound, control]


class TargetList:
    """Targets in the order they are added; what was not measured in this run is left out."""

    def __init__(self):
        self.found = []

    def add(self, what, value, control=None, **bounds):
        if value is not None:
            self.found.append(Target.of(what, value, control, **bounds))


def target_table(found):
    return table(["", "target", "measured", "bound", "the same binary twice"], [target.row for target in found])


def table(header, rows):
    """Columns of equal width: readable as text too."""
    cells = [header] + [["–" if cell is None else str(cell) for cell in row] for row in rows]
    widths = [max(len(row[index]) for row in cells) for index in range(len(header))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in cells]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def table_of(figures, scenarios, cell):
    """A row for each contender that took part in one of the scenarios."""
    rows = [[name] + [cell(name, scenario) for scenario in scenarios] for name in figures.contenders]
    return table(["server", *scenarios], [row for row in rows if any(row[1:])])


def versions_of_nio(*packages):
    pins = json.loads((PEERS / "nio/Package.resolved").read_text())["pins"]
    resolved = {pin["identity"]: pin["state"]["version"] for pin in pins}
    return ", ".join(f"{package} {resolved[package]}" for package in packages)


def percent(spread):
    return f"{spread.median:.1%} (quartiles {spread.low:.1%}–{spread.high:.1%})"


def conditions(part, figures, options, seconds):
    limited = {scenario.name: figures.bottlenecks(scenario.name) for scenario in part.scenarios}
    said = ", ".join(f"{count} of {name}" for name, count in limited.items() if count) or "none"
    yield f"Date: {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, {seconds / 60:.0f} minutes"
    yield f"Kernel: {platform.release()}; CPU: {cpu_model()}, {os.cpu_count()} cores"
    yield f"Compilers: {first_line('cc', '--version')}; {first_line('swift', '--version')}"
    yield f"Apus: {first_line('git', '-C', str(ROOT), 'describe', '--always', '--dirty')}; {part.peer_versions()}"
    yield f"Command: `{shlex.join(['Benchmarks/run', *sys.argv[1:]])}`"
    yield f"Rounds: {options.rounds}; {options.seconds} s a measurement after {options.warmup} s of warm-up"
    yield f"Servers waiting while another was measured: at most {figures.waiting_share_max():.3%} of a core, together"
    yield (f"Other processes: {percent(figures.share('others'))} of a core; measured again for that: "
           f"{figures.again()}, kept all the same: {figures.disturbed()}")
    yield f"Stolen by the hypervisor: {percent(figures.share('stolen'))} of a core"
    yield f"Measurements of {len(figures.samples)} in which the generator called itself the bottleneck: {said}"


def report(part, figures, options, seconds):
    parts = [f"# {part.title}", "Written by `Benchmarks/run`; how to run and to read it: [README.md](README.md)."]
    parts.append("\n".join(f"- {line}" for line in conditions(part, figures, options, seconds)))
    for title, body in [("Targets", target_table(part.targets(figures))), *part.tables(figures)]:
        parts += [f"## {title}", body]
    parts += ["## What the figures mean", part.meaning]
    return "\n\n".join(parts)


def write_raw(part, samples):
    """Every measurement, one JSON object a line, beside the report but not in the repository."""
    folder = BENCHMARKS / "raw"
    folder.mkdir(exist_ok=True)
    path = folder / time.strftime(f"{part.name}-%Y%m%d-%H%M%S.jsonl", time.gmtime())
    path.write_text("".join(json.dumps(sample) + "\n" for sample in samples))
    say(f"wrote {path}")
