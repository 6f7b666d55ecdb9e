"""Figures out of samples: medians, quartiles, and ratios taken within a round. Knows no scenario and no target."""
import statistics
from dataclasses import dataclass


def cpu(sample):
    """The server's, in µs per message or per connection, whichever the scenario counts."""
    server = sample["server"]
    return server["cpu_us_per_message"] if "messages" in sample else server["cpu_us_per_connection"]


def cpu_with_backend(sample):
    return cpu(sample) * (1 + sample["backend_per_own"])


def rate(sample):
    return sample["messages_per_second"]


def p50(sample):
    return sample["latency_us"]["p50"]


def p99(sample):
    return sample["latency_us"]["p99"]


@dataclass(frozen=True)
class Spread:
    """A median and its quartiles."""

    median: float
    low: float
    high: float

    @staticmethod
    def of(values):
        low, _, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
        return Spread(statistics.median(values), low, high)

    def __str__(self):
        return f"{significant(self.median)} ({significant(self.low)}–{significant(self.high)})"


def significant(value):
    return f"{value:.3f}" if abs(value) < 1 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


class Figures:
    def __init__(self, samples, order):
        """`order`: all names of contenders, in the order of the tables."""
        self.samples = samples
        self.by_key = {}
        for sample in samples:
            self.by_key.setdefault((sample["contender"], sample["scenario"]), {})[sample["round"]] = sample
        measured = {sample["contender"] for sample in samples}
        self.contenders = [name for name in order if name in measured]

    def by_round(self, contender, scenario, figure=cpu):
        return {number: figure(sample) for number, sample in self.by_key.get((contender, scenario), {}).items()}

    def spread(self, contender, scenario, figure):
        values = list(self.by_round(contender, scenario, figure).values())
        return Spread.of(values) if values else None

    def ratio(self, contender, base, scenario, figure=cpu):
        """Computed within each round, where both met the same weather, and only then the median."""
        ours, theirs = (self.by_round(name, scenario, figure) for name in (contender, base))
        ratios = [ours[number] / theirs[number] for number in ours if number in theirs]
        return Spread.of(ratios) if ratios else None

    def user_share(self, contender, scenario):
        """Over all rounds together: the kernel splits user from system time by sampling, so one round says little."""
        servers = [sample["server"] for sample in self.by_key.get((contender, scenario), {}).values()]
        user = sum(server["cpu_user_seconds"] for server in servers)
        total = user + sum(server["cpu_system_seconds"] for server in servers)
        return user / total if total else None

    def share(self, whose):
        return Spread.of([sample["shares"][whose] for sample in self.samples])

    def waiting_share_max(self):
        return max(sample["shares"]["waiting"] for sample in self.samples)

    def again(self):
        return sum(sample["again"] for sample in self.samples)

    def disturbed(self):
        return sum(sample["disturbed"] for sample in self.samples)

    def bottlenecks(self, scenario):
        return sum(sample["generator"]["bottleneck"] for sample in self.samples if sample["scenario"] == scenario)
