"""The plain part: framed Echo without any security, beside plain C and SwiftNIO."""
import subprocess

from .figures import cpu, p50, p99, rate
from .host import BOTH_CORES, GENERATOR_CORE, PEERS, SERVER_CORE, Failure
from .measuring import Echoes
from .part import Part, c_command, nio_build_step, nio_command
from .report import TargetList, table_of, versions_of_nio
from .servers import Contender

SCENARIOS = [
    Echoes("64 B, 64 × 1", 64, 1, 64),
    Echoes("64 B, 64 × 16", 64, 16, 64),
    Echoes("64 B, 64 × 64", 64, 64, 64),
    Echoes("16 KiB, 16 × 1", 16, 1, 16 * 1024),
    Echoes("64 B, 1 × 1", 1, 1, 64),
]
NAMES = DEPTH_1, DEPTH_16, DEPTH_64, LARGE, LATENCY = [scenario.name for scenario in SCENARIOS]
LOADED = frozenset(scenario.name for scenario in SCENARIOS if not scenario.is_latency)

ORDER = BASE, CONTROL, EPOLL, NIO, APUS, SHARDS_ON_ONE, SHARDS_ON_BOTH, LOOPS_ON_BOTH = (
    "c-uring", "c-uring again", "c-epoll", "nio", "apus", "apus 2 shards, 1 core", "apus 2 shards, 2 cores",
    "c-uring 2 loops, 2 cores")

# SwiftNIO's CPU per message over the C io_uring server's, measured before Apus was written, with another SwiftNIO
# server of the same design: the check that ours is no straw man.
NIO_EXPECTED = {DEPTH_1: 8.69 / 5.03, DEPTH_16: 1.02 / 0.320, DEPTH_64: 0.567 / 0.089, LARGE: 10.9 / 7.25}
NIO_TOLERANCE = 0.15

MEANING = f"""\
- One message is one Echo there and back; `64 B, 64 × 16` is a text of 64 bytes over 64 connections, each with 16
  requests on the way. Every server decodes the packet and the message, checks the text's UTF-8 and encodes a new reply.
- CPU per message is the server's run time, user and system, from the scheduler's nanoseconds, over the messages in that
  time. It is the figure to steer by: rates swing with whatever else the machine does, and it does much less.
- A ratio is taken within a round, where both servers met the same conditions; the table shows the median of the
  rounds' ratios. `{CONTROL}` is the same binary as `{BASE}` in a second process: its distance from 1 is what the
  method cannot tell apart, and the quartiles say how far single rounds stray.
- Everything is pinned: servers to core {SERVER_CORE}, the generator to core {GENERATOR_CORE}. What a second shard costs
  shows with both shards on the server's core. On both cores one of two loops shares its core with the generator, which
  costs plain C as much: `{LOOPS_ON_BOTH}` stands beside `{SHARDS_ON_BOTH}` to show it. Rates of
  these do not compare with the others'.
- Apus receives in bundles where the kernel has them (Linux 6.16), the C server does not; comparing with
  `APUS_RING_TIER=6.1` showed no consistent difference at these sizes.
- Latency under 64 or 16 connections is mostly waiting in a saturated server's queue; the column that speaks of the
  server is `{LATENCY}`.
- The kernel splits user from system time by sampling at its clock ticks: the share is taken over all rounds together
  and good for about one percent.
"""


class Plain(Part):
    name = "plain"
    title = "Results"
    report_name = "RESULTS.md"
    meaning = MEANING
    scenarios = SCENARIOS
    headline = DEPTH_64

    def build_steps(self):
        return super().build_steps() + [nio_build_step()]

    def contenders(self):
        serve = (str(self.options.apus), "serve", "--address", "127.0.0.1:0", "--security", "none",
                 "--max-connections", "1000")
        return [
            Contender(BASE, c_command()),
            Contender(CONTROL, c_command()),
            Contender(EPOLL, c_command("echo_epoll")),
            Contender(NIO, nio_command()),
            Contender(APUS, serve + ("--shards", "1")),
            Contender(SHARDS_ON_ONE, serve + ("--shards", "2"), scenarios=LOADED),
            Contender(SHARDS_ON_BOTH, serve + ("--shards", "2"), cores=BOTH_CORES, scenarios=LOADED),
            Contender(LOOPS_ON_BOTH, c_command() + ("--loops", "2"), cores=BOTH_CORES, scenarios=LOADED),
        ]

    def check(self, servers):
        """For the short form only; the long one would take its minutes from the measuring."""
        for server in servers if self.options.tiny else []:
            check = [str(PEERS / "check.py"), "--address", server.address]
            result = subprocess.run(check, capture_output=True, text=True, timeout=120)
            if result.returncode != 0:
                raise Failure(f"{server.contender.name} speaks another protocol: {result.stdout}{result.stderr}")

    def peer_versions(self):
        return versions_of_nio("swift-nio")

    def targets(self, figures):
        targets = TargetList()

        def add_ratio(contender, base, scenario, **bounds):
            control = figures.ratio(CONTROL, BASE, scenario)
            targets.add(f"CPU per message, {contender} / {base}, {scenario}",
                        figures.ratio(contender, base, scenario), control, **bounds)

        for scenario, limit in ((DEPTH_1, 1.05), (DEPTH_16, 1.05), (DEPTH_64, 1.05), (LARGE, 1.15)):
            add_ratio(APUS, BASE, scenario, high=limit)
        targets.add(f"p99, apus / c-epoll, {LATENCY}", figures.ratio(APUS, EPOLL, LATENCY, p99),
                    figures.ratio(CONTROL, BASE, LATENCY, p99), high=1.10)
        targets.add(f"user-mode share of apus, {DEPTH_64}", figures.user_share(APUS, DEPTH_64), high=0.15)
        for scenario in (DEPTH_1, DEPTH_16, DEPTH_64):
            add_ratio(SHARDS_ON_ONE, APUS, scenario, high=1.15)
        for scenario in (DEPTH_1, DEPTH_16, DEPTH_64):
            add_ratio(SHARDS_ON_BOTH, APUS, scenario)
            add_ratio(LOOPS_ON_BOTH, BASE, scenario)
        for scenario, expected in NIO_EXPECTED.items():
            add_ratio(NIO, BASE, scenario, low=expected * (1 - NIO_TOLERANCE), high=expected * (1 + NIO_TOLERANCE))
        return targets.found

    def tables(self, figures):
        def cpu_cell(name, scenario):
            return figures.spread(name, scenario, cpu)

        def ratio_cell(name, scenario):
            return figures.ratio(name, BASE, scenario)

        def share_cell(name, scenario):
            share = figures.user_share(name, scenario)
            return None if share is None else f"{share:.1%}"

        def rate_cell(name, scenario):
            spread = figures.spread(name, scenario, rate)
            return spread and f"{spread.median / 1000:,.1f}"

        def latency_cell(name, scenario):
            middle, tail = figures.spread(name, scenario, p50), figures.spread(name, scenario, p99)
            return middle and f"{middle.median:.1f} / {tail.median:.1f}"

        return [(title, table_of(figures, NAMES, cell)) for title, cell in (
            ("Server CPU per message, µs: median (quartiles)", cpu_cell),
            (f"Ratio to {BASE}: median of the rounds' ratios (quartiles)", ratio_cell),
            ("Share of the server's CPU in user mode", share_cell),
            ("Messages per second, thousands", rate_cell),
            ("Latency p50 / p99, µs, closed loop", latency_cell),
        )]
