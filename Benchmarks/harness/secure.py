"""The secure part: sealed packets, TLS and handshakes, beside SwiftNIO with NIOSSL and HAProxy in front of plain C."""
import functools
import re
import subprocess
import tempfile

from . import calls
from .certificates import Certificates
from .figures import Spread, cpu, cpu_with_backend, significant
from .host import BOTH_CORES, PEERS, ROOT, SERVER_CORE, Failure, first_line, output_of, say
from .measuring import Connects, Echoes, bench
from .part import Part, c_command, nio_build_step, nio_command
from .report import TargetList, table, table_of, versions_of_nio
from .servers import Contender, ProxyContender

LARGE_BYTES = 16 * 1024
SUITE = "TLS_AES_256_GCM_SHA384"
HANDSHAKES_PER_SECOND_MAX = 50_000  # far above what one core can do, so that none is refused
ECHOES = [
    Echoes("64 B, 64 × 1", 64, 1, 64),
    Echoes("64 B, 64 × 16", 64, 16, 64),
    Echoes("16 KiB, 16 × 1", 16, 1, LARGE_BYTES),
]
CONNECTS = [Connects("connection", 64), Connects("resumed", 64, is_resumed=True)]
ECHO_NAMES = DEPTH_1, DEPTH_16, LARGE = [scenario.name for scenario in ECHOES]
CONNECT_NAMES = FULL, RESUMED = [scenario.name for scenario in CONNECTS]

ORDER = PLAIN, SEALED, TLS, CONTROL, SHARDS, NIO, PROXY, PROXY_PLAIN = (
    "apus plain", "apus sealed", "apus tls", "apus tls again", "apus tls 2 shards", "nio-tls", "haproxy + c",
    "haproxy + c plain")
TLS_NAMES = (TLS, CONTROL, SHARDS, NIO, PROXY)
# Who is compared with whom to see what security adds.
WITHOUT_SECURITY = {SEALED: PLAIN, TLS: PLAIN, PROXY: PROXY_PLAIN}

IDLE_CONNECTIONS = 5000
IDLE_NAMES = (PLAIN, SEALED, TLS, NIO, PROXY)
KIBIBYTE = 1024

SPEED = ("taskset", "-c", SERVER_CORE, "openssl", "speed", "-seconds", "1", "-bytes", str(LARGE_BYTES), "-aead", "-evp")
CIPHERS = CHACHA, AES = "ChaCha20-Poly1305", "AES-256-GCM"

MEANING = f"""\
- `{SEALED}` has NPRO's own handshake and seals each packet with XChaCha20-Poly1305; everything else is TLS 1.3 with one
  suite, {SUITE}, one group, X25519, and one P-256 certificate: what OpenSSL's clients choose first and
  all servers can be brought to (BoringSSL, in `{NIO}`, takes the client's first choice). What was negotiated is checked
  before anything is measured, and so is that a ticket resumes a session.
- All servers are pinned to core {SERVER_CORE}; `{PROXY}` means HAProxy with one thread and the plain C server behind
  it, both there. Its rows count HAProxy's process alone, which does not decode a packet; the rows `with c` add the C
  server's, which does.
- Per connection means: connect, handshake, one PING and its PONG, close. HAProxy connects to the C server for each,
  which Apus need not: `what security adds` takes away what a plain connection costs the same server, and leaves the
  handshake. `{RESUMED}` connections offer a ticket; the first of each of the generator's places cannot.
- Sealed bulk is both directions' 16 KiB over what sealing adds to a message's CPU, as a share of what `openssl speed`
  encrypts with ChaCha20-Poly1305 on the same core in the same round. What it leaves out is a copy saved or made, a
  second check of the buffers, and a subkey per connection.
- The floor of the 16 KiB ratio to `{NIO}` is what remains when TLS costs Apus nothing but OpenSSL's AES: no copy, no
  record, no call. BoringSSL's AES-GCM uses wider vector instructions than that of OpenSSL 3.0.
- A ratio is taken within a round, where both servers met the same conditions, and then the median. `{CONTROL}` is
  `{TLS}` in a second process: its distance from 1 is what the method cannot tell apart.
- Idle memory is the growth of the server's own resident memory from 200 connections to {IDLE_CONNECTIONS}, each after
  one exchange; HAProxy's is without the C server's.
- Calls per sealed packet are counted by callgrind as the difference of a shorter and a longer run, so that start,
  handshakes and end cancel.
"""


class Secure(Part):
    name = "secure"
    title = "Results: secure sessions"
    report_name = "RESULTS-secure.md"
    meaning = MEANING
    scenarios = ECHOES + CONNECTS
    headline = DEPTH_16

    def __init__(self, options):
        super().__init__(options)
        self.folder = tempfile.TemporaryDirectory()
        self.openssl_speeds = {cipher: {} for cipher in CIPHERS}  # bytes per second by round
        self.idle_bytes = {}  # per connection, by contender
        self.sealed_calls = None

    def build_steps(self):
        packages = ["gcc", "haproxy", "libc6-dev", "openssl", "valgrind"]
        return super().build_steps() + [nio_build_step(), [str(ROOT / "tools/prepare"), *packages]]

    @functools.cached_property
    def certificates(self):
        return Certificates.make(self.folder.name)

    def contenders(self):
        certificates = self.certificates
        tls = ("--security", "tls", "--tls-certificate", certificates.node, "--tls-key", certificates.key,
               "--tls-min-version", "1.3", "--tls-suites", SUITE)
        as_tls_client = {"client": ("--security", "tls", "--ca", certificates.authority)}
        one = frozenset([*ECHO_NAMES, FULL])
        return [
            Contender(PLAIN, self.serve("--security", "none"), scenarios=one),
            self.sealed(scenarios=one),
            Contender(TLS, self.serve(*tls), **as_tls_client),
            Contender(CONTROL, self.serve(*tls), **as_tls_client),
            Contender(SHARDS, self.serve(*tls, shards=2), cores=BOTH_CORES, scenarios=frozenset([RESUMED]),
                      **as_tls_client),
            Contender(NIO, nio_command() + ("--certificate", certificates.node, "--key", certificates.key),
                      **as_tls_client),
            haproxy(PROXY, environment=(("CERTIFICATE", certificates.node_and_key),), **as_tls_client),
            haproxy(PROXY_PLAIN, scenarios=frozenset([FULL])),
        ]

    def sealed(self, **how):
        serve = self.serve("--security", "handshake", "--max-handshake-rate", str(HANDSHAKES_PER_SECOND_MAX))
        return Contender(SEALED, serve, client=("--security", "handshake"), **how)

    def serve(self, *security, shards=1):
        return (str(self.options.apus), "serve", "--address", "127.0.0.1:0", "--max-connections",
                str(IDLE_CONNECTIONS + 1000), "--shards", str(shards), *security)

    def check(self, servers):
        """Does everyone who says TLS speak the same? A moment's work, so the long form does it too."""
        for server in servers:
            if server.contender.name in TLS_NAMES:
                check = [str(PEERS / "check-tls.py"), "--address", server.address, "--ca", self.certificates.authority]
                result = subprocess.run(check, capture_output=True, text=True, timeout=120)
                if result.returncode != 0:
                    raise Failure(f"{server.contender.name} speaks otherwise: {result.stdout}{result.stderr}")

    def end_round(self, number):
        for cipher, speeds in self.openssl_speeds.items():
            said = re.search(rf"{cipher}\s+([\d.]+)k\b", output_of(*SPEED, cipher.lower()), re.IGNORECASE)
            if not said:
                raise Failure(f"openssl speed printed no figure for {cipher}")
            speeds[number] = float(said[1]) * 1000

    def finish(self):
        for contender in self.contenders():
            if contender.name in IDLE_NAMES:
                self.idle_bytes[contender.name] = self.measure_idle(contender)
        say("counting calls per sealed packet")
        self.sealed_calls = calls.per_packet(self.options, self.sealed())

    def measure_idle(self, contender):
        say(f"opening idle connections to {contender.name}")
        connections, baseline = (300, 100) if self.options.tiny else (IDLE_CONNECTIONS, 200)
        server = contender.start()
        try:
            arguments = ["idle", "--connections", str(connections), "--baseline", str(baseline)]
            return bench(self.options.apus, server, arguments, timeout=120)["bytes_per_connection"]
        finally:
            server.stop()

    def peer_versions(self):
        haproxy_version = first_line("haproxy", "-v").removesuffix(" - https://haproxy.org/")
        return f"{first_line('openssl', 'version')}; {haproxy_version}; {versions_of_nio('swift-nio', 'swift-nio-ssl')}"

    # MARK: what is said about it

    def targets(self, figures):
        targets = TargetList()
        targets.add("sealed 16 KiB, share of openssl speed's chacha20-poly1305", self.sealed_share(figures), low=0.70)
        for scenario in ECHO_NAMES:
            targets.add(f"CPU per message, {TLS} / {NIO}, {scenario}", figures.ratio(TLS, NIO, scenario),
                        figures.ratio(CONTROL, TLS, scenario), high=0.80)
        targets.add(f"floor: (apus plain + OpenSSL's {AES} alone) / {NIO}, {LARGE}", self.tls_floor(figures))
        for scenario in CONNECT_NAMES:
            control = figures.ratio(CONTROL, TLS, scenario)
            targets.add(f"CPU per TLS connection, {TLS} / haproxy, {scenario}", figures.ratio(TLS, PROXY, scenario),
                        control, high=1.05)
            targets.add(f"CPU per TLS handshake alone, {TLS} / haproxy, {scenario}", added_ratio(figures, scenario),
                        control, high=1.05)
        for name in (SHARDS, TLS, PROXY):
            bound = {"low": 0.95} if name == SHARDS else {}
            targets.add(f"share of offered resumptions that succeed, {name}", resumed_share(figures, name), **bound)
        targets.add(f"KiB per idle TLS 1.3 connection, {TLS}", self.idle_bytes[TLS] / KIBIBYTE, high=16)
        targets.add("allocations per sealed packet", calls.allocations(self.sealed_calls), high=0)
        for scenario in ECHO_NAMES:
            targets.add(f"CPU per message, {TLS} / haproxy, {scenario}", figures.ratio(TLS, PROXY, scenario))
        return targets.found

    def sealed_share(self, figures):
        """Both directions' bytes over the CPU time that sealing adds, over what OpenSSL encrypts in that time."""
        added = added_by_round(figures, SEALED, LARGE)
        if not added:
            return None
        # Noise of a tiny run may make the sealed one the cheaper; no bound is missed for that.
        seconds = {number: max(microseconds * 1e-6, 1e-12) for number, microseconds in added.items()}
        speeds = self.openssl_speeds[CHACHA]
        return Spread.of([2 * LARGE_BYTES / seconds[number] / speeds[number] for number in seconds])

    def tls_floor(self, figures):
        """What is left of NIOSSL's CPU when TLS costs nothing but OpenSSL's cipher: plain Apus and both directions'
        AES, over NIOSSL. Below it no server gets with this OpenSSL."""
        plain, peer = (figures.by_round(name, LARGE) for name in (PLAIN, NIO))
        return Spread.of([
            (plain[number] + 2 * LARGE_BYTES / self.openssl_speeds[AES][number] * 1e6) / peer[number]
            for number in plain if number in peer
        ]) if plain and peer else None

    def tables(self, figures):
        return [
            ("Server CPU per message, µs: median (quartiles)", cpu_table(figures, ECHO_NAMES)),
            ("Server CPU per connection, µs: median (quartiles)", cpu_table(figures, CONNECT_NAMES)),
            ("What security adds, µs: median (quartiles)", added_table(figures)),
            ("Memory per idle connection", self.idle_table()),
            ("Calls per sealed packet", calls.table(self.sealed_calls)),
            ("OpenSSL's ciphers on the servers' core", self.speed_table()),
        ]

    def idle_table(self):
        return table(["server", "KiB"], [[name, f"{self.idle_bytes[name] / KIBIBYTE:.2f}"] for name in IDLE_NAMES])

    def speed_table(self):
        """In pieces of 16 KiB, one direction."""
        rows = [[cipher, Spread.of([speed / 1e6 for speed in speeds.values()])]
                for cipher, speeds in self.openssl_speeds.items()]
        return table(["cipher", "MB/s in pieces of 16 KiB"], rows)


def haproxy(name, **how):
    command = ("haproxy", "-db", "-f", str(PEERS / "haproxy/echo.cfg"))
    return ProxyContender(name, command, backend=Contender(f"{name}: c", c_command()), **how)


def resumed_share(figures, name):
    samples = figures.by_key.get((name, RESUMED), {}).values()
    offered = sum(sample["resumptions_offered"] for sample in samples)
    return sum(sample["resumed"] for sample in samples) / offered if offered else None


def cpu_table(figures, scenarios):
    rows = [[name] + [figures.spread(name, scenario, cpu) for scenario in scenarios] for name in figures.contenders]
    for name in (PROXY, PROXY_PLAIN):
        spreads = [figures.spread(name, scenario, cpu_with_backend) for scenario in scenarios]
        rows.append([f"{name}, with c", *spreads])
    return table(["server", *scenarios], [row for row in rows if any(row[1:])])


def added_by_round(figures, name, scenario):
    """What security adds, by round. A resumed connection is compared with a plain one too: no plain one resumes."""
    secure = figures.by_round(name, scenario)
    plain = figures.by_round(WITHOUT_SECURITY.get(name), FULL if scenario == RESUMED else scenario)
    return {number: secure[number] - plain[number] for number in secure if number in plain}


def added_ratio(figures, scenario):
    """Of the handshakes alone, Apus over HAProxy."""
    ours, theirs = (added_by_round(figures, name, scenario) for name in (TLS, PROXY))
    return Spread.of([ours[number] / theirs[number] for number in ours if number in theirs])


def added_table(figures):
    def cell(name, scenario):
        added = added_by_round(figures, name, scenario)
        return Spread.of(list(added.values())) if added else None

    return table_of(figures, ECHO_NAMES + CONNECT_NAMES, cell)
