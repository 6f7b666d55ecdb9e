#!/usr/bin/env python3
"""Counts instructions and calls to the allocator and to Swift's reference counting, per packet, under callgrind.

A run of N packets and one of 2N differ by exactly N packets: start-up and shutdown cancel. No hardware counter is
needed. A control that allocates and retains is counted the same way first, so that a zero means zero.

    Benchmarks/callcount.py [--packets N] [--json] -- COMMAND... {n} ...

`{n}` in the command is replaced by the number of packets. A benchmark that cannot be told how many packets to send
uses `counts_of_profile` on each of two callgrind files and `per_packet` with the two numbers it counted itself.
"""

import argparse
import collections
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

INSTRUCTIONS = "instructions"

# What is reported → the names of the functions whose calls are summed.
COUNTED_CALLS = {
    "malloc": {"malloc"},
    "calloc": {"calloc"},
    "realloc": {"realloc"},
    "posix_memalign": {"posix_memalign", "aligned_alloc", "memalign"},
    "free": {"free"},
    "swift_allocObject": {"swift_allocObject"},
    "swift_retain": {"swift_retain", "swift_retain_n", "swift_bridgeObjectRetain", "swift_retain_preservemost"},
    "swift_release": {"swift_release", "swift_release_n", "swift_bridgeObjectRelease", "swift_release_preservemost"},
    "swift_beginAccess": {"swift_beginAccess"},
}
ALLOCATIONS = ("malloc", "calloc", "realloc", "posix_memalign", "swift_allocObject")

CONTROL_SOURCE = pathlib.Path(__file__).with_name("callcount-control.swift")
WAIT_SOURCE = pathlib.Path(__file__).with_name("ring-under-valgrind.c")
# What that file adds to a program is no part of it.
WAIT_FUNCTIONS = re.compile(r"valgrind_|(?:usleep|nanosleep|clock_nanosleep|syscall)$")


class CallcountError(Exception):
    """Says what could not be counted and what to do."""


def valgrind_command(profile):
    """What to put before a command so that callgrind writes `profile` when it ends; needs a folder of its own."""
    if shutil.which("valgrind") is None:
        raise CallcountError("valgrind is missing: run tools/prepare valgrind")
    wait = pathlib.Path(profile).with_name("ring-under-valgrind.so")
    if not wait.exists():
        compiler = shutil.which("cc") or "clang"
        _compile([compiler, "-O1", "-fno-inline", "-shared", "-fPIC", str(WAIT_SOURCE), "-o", str(wait), "-luring"])
    return ["env", f"LD_PRELOAD={wait}", "valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={profile}"]


def readable(executable, folder):
    """A copy without what debuggers read, which valgrind 3.19 does not understand where a C++ compiler of today wrote
    it; the names of functions are still there."""
    copy = pathlib.Path(folder, pathlib.Path(executable).name)
    result = subprocess.run(
        ["objcopy", "--strip-debug", str(executable), str(copy)], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise CallcountError(f"objcopy: {result.stderr.strip()}: run tools/prepare binutils")
    return copy


def _compile(command):
    compiled = subprocess.run(command, capture_output=True, text=True, check=False)
    if compiled.returncode != 0:
        raise CallcountError(f"{' '.join(command)} failed:\n{compiled.stderr}")


# --- one profile ------------------------------------------------------------------------------------------------------

# callgrind names a function in full once, `(7) swift_retain`, and by its number afterwards, `(7)`.
_NAME = re.compile(r"(c?fn)=\((\d+)\)(?: (.*))?$")
_CALLS = re.compile(r"calls=(\d+) ")
_COST = re.compile(r"[+\-*\d]\S* (\d+)$")


class Profile:
    """One callgrind file: per function its own instructions, and what it called, how often and at what cost."""

    def __init__(self, path):
        self.own_instructions = collections.Counter()
        self.call_counts = collections.Counter()
        self.inclusive_instructions = collections.Counter()
        self._names = {}
        self._read(path)
        if not self.own_instructions:
            raise CallcountError(f"{path} holds no profile: did the program end by itself?")

    def _read(self, path):
        with open(path, encoding="utf-8", errors="replace") as lines:
            self._read_lines(lines)

    def _read_lines(self, lines):
        function = callee = None
        is_call_cost = False
        for line in lines:
            if name := _NAME.match(line.rstrip("\n")):
                resolved = self._name(name[2], name[3])
                function, callee = (resolved, callee) if name[1] == "fn" else (function, resolved)
            elif calls := _CALLS.match(line):
                self.call_counts[function, callee] += int(calls[1])
                is_call_cost = True
            elif cost := _COST.match(line):
                if is_call_cost:
                    self.inclusive_instructions[function, callee] += int(cost[1])
                elif not WAIT_FUNCTIONS.match(function):
                    self.own_instructions[function] += int(cost[1])
                is_call_cost = False

    def _name(self, number, text):
        if text is not None:
            # 'name'2 is a recursion level; name@@VERSION a versioned symbol.
            self._names[number] = re.sub(r"'\d+$|@@?.*$", "", text)
        return self._names[number]

    def calls_to(self, names):
        # A function that only forwards to its namesake (a versioned alias, a jump slot) is the same call.
        return sum(
            count for (caller, callee), count in self.call_counts.items() if callee in names and caller not in names
        )


def counts_of_profile(path):
    """{what: count} of one run."""
    profile = Profile(path)
    counts = {INSTRUCTIONS: sum(profile.own_instructions.values())}
    return counts | {title: profile.calls_to(names) for title, names in COUNTED_CALLS.items()}


# --- N and 2N ---------------------------------------------------------------------------------------------------------


def per_packet(shorter, longer, packet_count):
    """The counts that one packet adds; `packet_count` is how many more packets the longer run saw."""
    # Rounded, because two starts may differ by a call or two; adding zero turns -0.0 into 0.0.
    return {what: round((longer[what] - shorter[what]) / packet_count, 4) + 0.0 for what in shorter}


def run_counted(command):
    """The counts of one run of a command."""
    with tempfile.TemporaryDirectory() as folder:
        profile = pathlib.Path(folder, "callgrind.out")
        run = subprocess.run(valgrind_command(profile) + command, capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise CallcountError(f"{' '.join(command)} failed under callgrind ({run.returncode}):\n{run.stderr}")
        return counts_of_profile(profile)


def count_per_packet(template, packet_count):
    """Runs the command with N and with 2N packets; {what: count per packet}."""
    if not any("{n}" in word for word in template):
        raise CallcountError("the command has no {n} for the number of packets")
    shorter, longer = (
        run_counted([word.replace("{n}", str(count)) for word in template])
        for count in (packet_count, 2 * packet_count)
    )
    return per_packet(shorter, longer, packet_count)


def check_control(packet_count=1000):
    """Counts a program that allocates, retains, releases and begins an access each time: none may come out as zero."""
    with tempfile.TemporaryDirectory() as folder:
        control = pathlib.Path(folder, "control")
        _compile(["swiftc", "-O", str(CONTROL_SOURCE), "-o", str(control)])
        counts = count_per_packet([str(control), "{n}"], packet_count)
    blind = [what for what, count in counts.items() if round(count, 2) < 1]
    if blind:
        raise CallcountError(
            f"the control does each of these at least once, yet they were not counted: {', '.join(blind)}"
        )
    return counts


def table(columns):
    """Text of {title: counts}, a row for each thing counted."""
    rows = [f"{'per packet':<20}" + "".join(f"{title:>16}" for title in columns)]
    for what in [INSTRUCTIONS, *COUNTED_CALLS]:
        rows.append(f"{what:<20}" + "".join(f"{_rounded(counts[what]):>16}" for counts in columns.values()))
    return "\n".join(rows) + "\n"


def _rounded(count):
    return f"{count:.4f}".rstrip("0").rstrip(".") if abs(count) < 100 else f"{count:.1f}"


def main(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=10_000, help="N; the second run has 2N")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    try:
        columns = {"control": check_control(), "command": count_per_packet(options.command, options.packets)}
    except CallcountError as error:
        print(f"callcount: {error}", file=sys.stderr)
        return 1
    print(json.dumps(columns) if options.json else table(columns), end="\n" if options.json else "")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
