"""The relay part: datagrams between pairs of WebSocket peers, beside plain C that echoes packets of the same size."""
import functools
import http.client
import pathlib
import re
import socket
import statistics
import subprocess
import tempfile

from . import calls
from .certificates import Certificates
from .figures import Spread, cpu, p50, p99, rate
from .host import BOTH_CORES, GENERATOR_CORE, PEERS, ROOT, SERVER_CORE, first_line, say
from .measuring import Logins, Relayed, bench
from .part import Part, c_command
from .report import TargetList, table, table_of
from .servers import Contender

PAIRS, WINDOW = 16, 64
OPEN_RATE = 20_000
SIZES = [Relayed("64 B", PAIRS, WINDOW, 64), Relayed("1,200 B", PAIRS, WINDOW, 1200),
         Relayed("8,000 B", PAIRS, WINDOW, 8000)]
SIZE_NAMES = SMALL, MIDDLE, LARGE = [scenario.name for scenario in SIZES]
OTHERS = [
    Relayed("1,200 B both ways", PAIRS, WINDOW, 1200, is_both_ways=True),
    Relayed(f"{OPEN_RATE:,}/s", PAIRS, WINDOW, 1200, rate=OPEN_RATE),
    Logins("login", 64),
    Relayed("same shard", PAIRS, WINDOW, 1200, placement="same"),
    Relayed("two shards", PAIRS, WINDOW, 1200, placement="different"),
]
BOTH_WAYS, OPEN, LOGIN, SAME, DIFFERENT = [scenario.name for scenario in OTHERS]
# Much more than two shards pass on, so that there is something to account for.
FLOOD = Relayed("flood", 4, WINDOW, 8000, rate=300_000, placement="different")

BASE, CONTROL, APUS, AGAIN, ON_ONE, ON_BOTH = (
    "c-uring echo", "c-uring echo again", "apus", "apus again", "apus 2 shards, 1 core", "apus 2 shards, 2 cores")
PLAIN, TLS, ACCOUNTS = "plain", "TLS", "accounts"
SECRET = "the secret of a benchmark"
CONFIGURATION = """\
[server]
max_connections = {connections}
[[listener]]
name = "relay"
protocol = "relay"
address = "127.0.0.1:0"
security = "{security}"
[[listener]]
name = "admin"
protocol = "admin"
address = "unix:{admin}"
[relay]
exposed_address = "127.0.0.1:443"
auth_secret = "{secret}"
"""
IDLE_CONNECTIONS = 10_000
KIBIBYTE = 1024

MEANING = f"""\
- One message is one datagram from one peer to another over the relay, or in `{BASE}`'s rows one Echo there and
  back: both are read once and written once. {PAIRS} pairs, or connections, keep {WINDOW} messages each on their way;
  the first peer of a pair sends and the second receives, so that the relay has as many busy directions as the echo. In
  `{BOTH_WAYS}` each peer answers with a datagram, which is twice the connections to read from and to write to, each
  with half as much at a time.
- The generator's peers are WebSocket clients: they log in with a token, mask every frame with a key of its own, check
  every datagram and number them, so that what is lost is known. The C server has neither masks nor peers: the bar of
  1.8 is for unmasking, looking up the peer, and a second connection.
- `{OPEN}` is an open loop of 1,200 bytes over {PAIRS} pairs, or connections: messages leave when they are due, and
  latency counts from then. The generator polls there instead of sleeping. A server has one message to do at a time and
  sleeps between them, so that most of its CPU is the kernel's, for waking it: `a thread that does nothing` is woken as
  often (`Benchmarks/peers/bin/bare_wake {OPEN_RATE} 1`) and shows what of it nobody can save here.
- `{LOGIN}` means: connect, upgrade, Auth with a minted token, AuthResponse, close; each as another peer.
- `{SAME}` and `{DIFFERENT}` are 1,200 bytes with the peers of each pair on one shard or on two. The generator finds out
  where a peer is by letting it write to itself and looking which thread was busy. `{ON_ONE}` has both shards on core
  {SERVER_CORE}; of `{ON_BOTH}` one shares its core with the generator.
- Everything else is pinned: servers to core {SERVER_CORE}, the generator to core {GENERATOR_CORE}. CPU is the server's
  run time, user and system, from the scheduler's nanoseconds, over the messages delivered in that time.
- A ratio is taken within a round, where both servers met the same conditions, and then the median. `{CONTROL}` is
  `{BASE}` in a second process, and `{AGAIN}` is `{APUS}`: their distance from 1 is what the method cannot tell apart.
- Idle memory is the growth of the relay's own resident memory from 200 peers to {IDLE_CONNECTIONS:,}, each after one
  datagram; what the kernel keeps for the sockets stands beside, of both ends, for both are on this machine.
- Calls per datagram are counted by callgrind as the difference of a shorter and a longer run, so that start, logins and
  end cancel.
"""


class Relay(Part):
    name = "relay"
    title = "Results: relay"
    report_name = "RESULTS-relay.md"
    meaning = MEANING
    scenarios = SIZES + OTHERS
    headline = MIDDLE

    def __init__(self, options):
        super().__init__(options)
        self.folder = tempfile.TemporaryDirectory()
        self.idle = {}  # the generator's report, by security
        self.datagram_calls = None
        self.wake = None  # µs of CPU that a wake-up costs a thread that then does nothing
        # Of a flood between two shards: what the relay counted as dropped, and what else was lost.
        self.dropped, self.unaccounted = None, None

    def build_steps(self):
        return super().build_steps() + [[str(ROOT / "tools/prepare"), "openssl", "valgrind"]]

    @functools.cached_property
    def certificates(self):
        return Certificates.make(self.folder.name)

    def contenders(self):
        sizes = frozenset(SIZE_NAMES)
        placed = frozenset([SAME, DIFFERENT])
        return [
            Contender(BASE, c_command(), scenarios=sizes | {OPEN}),
            Contender(CONTROL, c_command(), scenarios=sizes | {OPEN}),
            self.relay(APUS, scenarios=sizes | {BOTH_WAYS, OPEN, LOGIN}),
            self.relay(AGAIN, scenarios=sizes | {OPEN, LOGIN}),
            self.relay(ON_ONE, shards=2, scenarios=placed),
            self.relay(ON_BOTH, shards=2, cores=BOTH_CORES, scenarios=placed),
        ]

    def relay(self, name, shards=1, **how):
        serve = ("serve", "--config", self.configuration(name, "none"), "--shards", str(shards))
        return Contender(name, (str(self.options.apus), *serve), client=("--auth-secret", SECRET), relays=True, **how)

    def tls_relay(self):
        serve = ("serve", "--config", self.configuration(TLS, "tls"), "--shards", "1")
        client = ("--tls", "--ca", self.certificates.authority, "--auth-secret", SECRET)
        return Contender(TLS, (str(self.options.apus), *serve), client=client, relays=True)

    def admin(self, name):
        """The socket on which a contender tells its counters."""
        return str(pathlib.Path(self.folder.name, f"{name}.sock".replace(" ", "-")))

    def configuration(self, name, security):
        """A file of settings for one contender."""
        certificates = self.certificates
        text = CONFIGURATION.format(
            security=security, connections=IDLE_CONNECTIONS + 1000, secret=SECRET, admin=self.admin(name))
        if security == "tls":
            text += f'[tls]\ncertificate = "{certificates.node}"\nkey = "{certificates.key}"\n'
        path = pathlib.Path(self.folder.name, f"{name}.toml".replace(" ", "-"))
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)

    def finish(self):
        for contender in (self.relay(PLAIN), self.tls_relay()):
            self.idle[contender.name] = self.measure_idle(contender)
        self.wake = self.measure_wake()
        self.unaccounted = self.measure_accounts()
        say("counting calls per datagram")
        self.datagram_calls = calls.per_packet(self.options, self.relay(APUS), calls.DATAGRAMS)

    def measure_wake(self):
        say("waking a thread that does nothing")
        command = [str(PEERS / "bin" / "bare_wake"), str(OPEN_RATE), str(self.options.seconds)]
        found = [float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                 for _ in range(self.options.rounds)]
        return statistics.median(found)

    def measure_accounts(self):
        """What a flood has lost between two shards, less what the relay says it dropped."""
        say("comparing what was lost with what the relay counted")
        server = self.relay(ACCOUNTS, shards=2, cores=BOTH_CORES).start()
        try:
            load = FLOOD.arguments(self.options, server.contender)
            lost = bench(self.options.apus, server, load, timeout=60)["lost"]
            self.dropped = dropped(self.admin(ACCOUNTS))
            return lost - self.dropped
        finally:
            server.stop()

    def measure_idle(self, contender):
        say(f"opening idle peers, {contender.name}")
        connections, baseline = (300, 100) if self.options.tiny else (IDLE_CONNECTIONS, 200)
        server = contender.start()
        try:
            arguments = ["idle", "--session", "relay", "--connections", str(connections), "--baseline", str(baseline)]
            return bench(self.options.apus, server, arguments, timeout=180)
        finally:
            server.stop()

    def peer_versions(self):
        return f"{first_line('openssl', 'version')}; liburing {first_line('pkg-config', '--modversion', 'liburing')}"

    # MARK: what is said about it

    def targets(self, figures):
        targets = TargetList()
        for scenario in SIZE_NAMES:
            targets.add(f"CPU per message, {APUS} / {BASE}, {scenario}", figures.ratio(APUS, BASE, scenario),
                        figures.ratio(CONTROL, BASE, scenario), high=1.8)
        targets.add(f"CPU per message, {APUS} both ways / one way, {MIDDLE}",
                    ratio_of_scenarios(figures, APUS, BOTH_WAYS, MIDDLE))
        targets.add(f"p99 in µs, {APUS}, {OPEN}", figures.spread(APUS, OPEN, p99), high=200)
        targets.add(f"CPU per message in µs, {APUS}, {OPEN}", figures.spread(APUS, OPEN, cpu),
                    figures.ratio(AGAIN, APUS, OPEN), high=10)
        targets.add(f"CPU per message, {APUS} / {BASE}, {OPEN}", figures.ratio(APUS, BASE, OPEN),
                    figures.ratio(CONTROL, BASE, OPEN))
        targets.add(f"CPU per wake-up in µs, a thread that does nothing, {OPEN}", self.wake)
        targets.add(f"CPU per login in µs, {APUS}", figures.spread(APUS, LOGIN, cpu),
                    figures.ratio(AGAIN, APUS, LOGIN), high=60)
        targets.add(f"CPU per message, {DIFFERENT} / {SAME}, {ON_ONE}",
                    ratio_of_scenarios(figures, ON_ONE, DIFFERENT, SAME), high=1.6)
        targets.add(f"CPU per message, {DIFFERENT} / {SAME}, {ON_BOTH}",
                    ratio_of_scenarios(figures, ON_BOTH, DIFFERENT, SAME))
        for security, limit in ((PLAIN, 2), (TLS, 17)):
            targets.add(f"KiB per idle peer, {security}", self.idle[security]["bytes_per_connection"] / KIBIBYTE,
                        high=limit)
        targets.add("a flood between two shards: lost and not counted by the relay", abs(self.unaccounted), high=0)
        targets.add("a flood between two shards: messages that the relay counted as dropped", self.dropped, low=1)
        targets.add("allocations per datagram", calls.allocations(self.datagram_calls), high=0)
        return targets.found

    def tables(self, figures):
        names = [*SIZE_NAMES, BOTH_WAYS, OPEN, SAME, DIFFERENT]

        def cpu_cell(name, scenario):
            return figures.spread(name, scenario, cpu)

        def rate_cell(name, scenario):
            spread = figures.spread(name, scenario, rate)
            return spread and f"{spread.median / 1000:,.1f}"

        def latency_cell(name, scenario):
            middle, tail = figures.spread(name, scenario, p50), figures.spread(name, scenario, p99)
            return middle and f"{middle.median:.1f} / {tail.median:.1f}"

        return [(title, table_of(figures, names, cell)) for title, cell in (
            ("Server CPU per message, µs: median (quartiles)", cpu_cell),
            ("Messages delivered per second, thousands", rate_cell),
            ("Latency p50 / p99, µs", latency_cell),
        )] + [
            ("Logins", login_table(figures)),
            ("Lost", loss_table(figures, names)),
            ("Memory per idle peer", self.idle_table()),
            ("Calls per datagram", calls.table(self.datagram_calls, "relayed datagram")),
        ]

    def idle_table(self):
        keys = ("bytes_per_connection", "pss_bytes_per_connection", "socket_bytes_per_connection")
        rows = [[security] + [f"{report[key] / KIBIBYTE:.2f}" for key in keys]
                for security, report in self.idle.items()]
        return table(["security", "KiB of its own", "with shared pages", "in the kernel's queues, both ends"], rows)


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=10)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def dropped(path):
    """Messages of all reasons together."""
    connection = UnixConnection(path)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(int(count) for count in re.findall(r"^apus_dropped_total\{[^}]*\} (\d+)$", text, re.MULTILINE))


def ratio_of_scenarios(figures, name, scenario, base):
    """Of one server, within a round."""
    ours, theirs = (figures.by_round(name, which) for which in (scenario, base))
    ratios = [ours[number] / theirs[number] for number in ours if number in theirs]
    return Spread.of(ratios) if ratios else None


def login_table(figures):
    def per_second(sample):
        return sample["connections_per_second"]

    rows = [[name, figures.spread(name, LOGIN, cpu), figures.spread(name, LOGIN, per_second)]
            for name in figures.contenders]
    return table(["server", "CPU per login, µs", "logins per second"], [row for row in rows if row[1]])


def loss_table(figures, scenarios):
    """Sent and not delivered, over all rounds together."""
    def cell(name, scenario):
        samples = figures.by_key.get((name, scenario), {}).values()
        sent = sum(sample["sent"] for sample in samples if "sent" in sample)
        return f"{sum(sample['lost'] for sample in samples):,} of {sent:,}" if sent else None

    return table_of(figures, scenarios, cell)
