"""One part of a run: its contenders are up together, its rounds interleave them, its report is one file."""
from .host import BENCHMARKS, PEERS, ROOT


class Part:
    name: str  # on the command line and of the raw file
    title: str
    report_name: str
    meaning: str
    scenarios: list
    headline: str  # the scenario that each round's progress line shows

    def __init__(self, options):
        self.options = options

    @property
    def output(self):
        return BENCHMARKS / self.report_name

    def build_steps(self):
        """Commands; what parts have in common is run once."""
        return [
            [str(ROOT / "tools/prepare"), "gcc", "libc6-dev", "make", "util-linux"],
            ["swift", "build", "-c", "release", "--product", "apus", "--package-path", str(ROOT)],
            ["make", "-C", str(PEERS / "c")],
        ]

    def contenders(self):
        """All of them, in the order of the tables."""
        raise NotImplementedError

    def check(self, servers):
        """Before anything is measured: does everyone do the same work?"""

    def end_round(self, number):
        """What is measured once a round and is no server's."""

    def finish(self):
        """What is measured once, after the rounds, when their servers are gone."""

    def peer_versions(self):
        raise NotImplementedError

    def targets(self, figures):
        raise NotImplementedError

    def tables(self, figures):
        """Pairs of title and text."""
        raise NotImplementedError


def nio_build_step():
    return ["swift", "build", "-c", "release", "--product", "echo-nio", "--package-path", str(PEERS / "nio")]


def nio_command():
    return (str(PEERS / "nio/.build/release/echo-nio"), "--port", "0")


def c_command(name="echo_uring"):
    return (str(PEERS / "bin" / name), "--port", "0")
