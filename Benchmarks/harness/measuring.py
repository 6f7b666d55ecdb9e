"""Measurements: one sample of one server in one scenario, and the rounds that interleave them all."""
import json
import os
import pathlib
import resource
import subprocess
import time
from dataclasses import dataclass

from .host import GENERATOR_CORE, Failure, say

WAITING_SHARE_MAX = 0.005  # of one core: more than that, and a server that only waits disturbs the measured one
QUIET_SHARE_MAX, QUIET_SECONDS, QUIET_COUNT, SETTLE_SECONDS_MAX = 0.01, 0.02, 3, 3
OTHERS_SHARE_MAX = 0.25  # of one core, taken by processes that are none of ours: more, and we measure again


def open_loop(rate):
    """The generator polls there: what it takes to wake from its sleep is nothing that a server could help."""
    return ["--rate", str(rate), "--busy-poll"] if rate else []


@dataclass(frozen=True)
class Echoes:
    """Connections that stay, each with `depth` requests on the way, or `rate` a second over all of them."""

    name: str
    connections: int
    depth: int
    size: int
    rate: int = 0
    counted = "messages"

    @property
    def is_latency(self):
        return self.connections == 1

    def arguments(self, options, contender):
        return ["packet", "--connections", str(self.connections), "--depth", str(self.depth), "--size", str(self.size),
                *open_loop(self.rate), "--seconds", str(options.seconds), "--warmup", str(options.warmup)]


@dataclass(frozen=True)
class Connects:
    """Connections that come, exchange one PING, and go."""

    name: str
    concurrency: int
    is_resumed: bool = False
    counted = "connections"
    is_latency = False

    def arguments(self, options, contender):
        resume = ["--resume"] if self.is_resumed else []
        return ["connect", "--concurrency", str(self.concurrency), "--seconds", str(options.seconds), *resume]


@dataclass(frozen=True)
class Relayed:
    """Datagrams of `size` between pairs of peers, `window` of each pair on their way, or `rate` a second over all of
    them. Who does not relay is given as many echoes of that size on as many connections as there are pairs."""

    name: str
    pairs: int
    window: int
    size: int
    is_both_ways: bool = False
    rate: int = 0
    placement: str = "any"
    counted = "messages"
    is_latency = False

    def arguments(self, options, contender):
        if not contender.relays:
            return Echoes(self.name, self.pairs, self.window, self.size, self.rate).arguments(options, contender)
        both_ways = ["--both-ways"] if self.is_both_ways else []
        return ["relay", "--pairs", str(self.pairs), "--window", str(self.window), "--size", str(self.size),
                *both_ways, *open_loop(self.rate), "--placement", self.placement, "--seconds", str(options.seconds),
                "--warmup", str(options.warmup)]


@dataclass(frozen=True)
class Logins:
    """Peers that come, log in at a relay, and go."""

    name: str
    concurrency: int
    counted = "connections"
    is_latency = False

    def arguments(self, options, contender):
        return ["connect", "--session", "relay", "--concurrency", str(self.concurrency),
                "--seconds", str(options.seconds)]


def bench(apus, server, arguments, timeout):
    """What the generator reports; a server that stalls ends the run and not the reader's patience."""
    command = ["taskset", "-c", GENERATOR_CORE, str(apus), "bench", *arguments, "--address", server.address,
               "--server-pid", str(server.process.pid), "--json", *server.contender.client]
    where = f"{server.contender.name}, bench {' '.join(arguments)}"
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Failure(f"{where}: the generator did not end") from error
    if result.returncode != 0:
        raise Failure(f"{where}: the generator ended with {result.returncode}: {result.stderr.strip()}")
    return json.loads(result.stdout)


def generate(apus, server, scenario, options):
    patience = 10 * (options.seconds + options.warmup) + 30
    sample = bench(apus, server, scenario.arguments(options, server.contender), patience)
    count = sample[scenario.counted]
    # A connect that found no port free on our side was tried again later; everything else is the server's.
    errors = {what: number for what, number in sample["errors"].items() if what != "address_unavailable"}
    if any(errors.values()) or not count:
        raise Failure(f"{server.contender.name}, {scenario.name}: {count} {scenario.counted}, errors {errors}")
    return sample


class Usage:
    """What has run on this machine up to now, in seconds: to tell the measured work from everybody else's."""

    def __init__(self, server, waiting):
        self.time = time.monotonic()
        self.own, self.backend = server.own_cpu_nanoseconds() / 1e9, server.backend_cpu_nanoseconds() / 1e9
        self.waiting = sum(other.cpu_nanoseconds() for other in waiting) / 1e9
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)  # the generators
        self.ours = self.own + self.backend + self.waiting + ended.ru_utime + ended.ru_stime + time.process_time()
        self.busy, self.stolen = self.machine()

    @staticmethod
    def machine():
        fields = pathlib.Path("/proc/stat").read_text().partition("\n")[0].split()[1:]
        user, nice, system, _, _, interrupt, soft_interrupt, stolen = (int(field) for field in fields[:8])
        ticks_per_second = os.sysconf("SC_CLK_TCK")
        return (user + nice + system + interrupt + soft_interrupt) / ticks_per_second, stolen / ticks_per_second

    def shares_since(self, before):
        """Of one core: servers that wait, other processes, the hypervisor."""
        seconds = self.time - before.time
        others = (self.busy - before.busy) - (self.ours - before.ours)
        return {
            "waiting": (self.waiting - before.waiting) / seconds,
            "others": max(others, 0) / seconds,
            "stolen": (self.stolen - before.stolen) / seconds,
        }

    def backend_per_own_since(self, before):
        """The backend's processor time over the proxy's; the warm-up counts, and changes both alike."""
        return (self.backend - before.backend) / (self.own - before.own)


def settle(servers):
    """Until they have done what the last generator left behind: handshakes begun, connections to close. One quiet
    moment may only be a pause in it."""
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    spent, quiet_count = sum(server.cpu_nanoseconds() for server in servers), 0
    while quiet_count < QUIET_COUNT and time.monotonic() < deadline:
        time.sleep(QUIET_SECONDS)
        before, spent = spent, sum(server.cpu_nanoseconds() for server in servers)
        is_quiet = (spent - before) / 1e9 / QUIET_SECONDS <= QUIET_SHARE_MAX
        quiet_count = quiet_count + 1 if is_quiet else 0


def measure(apus, servers, server, scenario, options):
    """One sample, and what else ran meanwhile."""
    waiting = [other for other in servers if other is not server]
    settle(servers)
    before = Usage(server, waiting)
    sample = generate(apus, server, scenario, options)
    after = Usage(server, waiting)
    sample["shares"] = after.shares_since(before)
    sample["backend_per_own"] = after.backend_per_own_since(before)
    return sample


def is_disturbed(sample):
    shares = sample["shares"]
    return shares["others"] > OTHERS_SHARE_MAX or shares["waiting"] > WAITING_SHARE_MAX


class Patience:
    """Measures again what other processes disturbed, or servers that only waited: judged by their CPU time, never by
    the figure. A quarter more measurements at most, so that a busy machine makes the run worse but not endless."""

    def __init__(self, measurements_planned):
        self.left = measurements_planned // 4

    def measure(self, *what):
        sample, again = measure(*what), 0
        while is_disturbed(sample) and self.left > 0:
            self.left -= 1
            sample, again = measure(*what), again + 1
        sample["again"], sample["disturbed"] = again, is_disturbed(sample)
        return sample


def run_rounds(part, servers, options):
    """Every contender in every scenario it takes part in, every round, the order rotated."""
    pairs = sum(server.contender.takes_part(scenario) for server in servers for scenario in part.scenarios)
    samples, patience = [], Patience(0 if options.tiny else options.rounds * pairs)
    for round_number in range(options.rounds):
        first = round_number % len(servers)
        rotated = servers[first:] + servers[:first]
        for scenario in part.scenarios:
            for server in rotated:
                if not server.contender.takes_part(scenario):
                    continue
                sample = patience.measure(options.apus, servers, server, scenario, options)
                sample.update(round=round_number, contender=server.contender.name, scenario=scenario.name)
                samples.append(sample)
        part.end_round(round_number)
        say(f"round {round_number + 1} of {options.rounds}: {round_line(samples, round_number, part.headline)}")
    return samples


def round_line(samples, round_number, headline):
    figures = [f"{sample['contender']} {sample['server']['cpu_us_per_message']:.3f}" for sample in samples
               if sample["round"] == round_number and sample["scenario"] == headline]
    return f"{headline}: " + " · ".join(figures) + " µs"
