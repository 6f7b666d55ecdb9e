"""What is tried, in order."""

import os
import pathlib
import signal
import subprocess
import time

from . import attacks, honest, wire
from .attacks import Attack
from .report import Failed, Skipped, eventually, require
from .server import Server

NEAR, FAR = "127.0.0.1", "127.0.0.2"
FLOOD_SECONDS = 6
PROMPT = "--slow-peer-grace", "2s"
COMMAND_SECONDS_MAX = 30


def play(report, apus, folder):
    case = Cases(report, apus, folder)
    report.play("a calm server", case.calm)
    report.play("connection flood from a trusted address: the server's own limit", case.flood_trusted)
    report.play("connection flood from one address", case.flood_limited)
    report.play("slowloris, with the defaults", case.slowloris)
    report.play("slowloris, packets of every kind", case.slowloris_kinds)
    report.play("slow consumers", case.slow_consumers)
    report.play("ping flood", case.ping_flood)
    report.play("strangers before the handshake: memory", case.strangers)
    report.play("no descriptors left", case.descriptors)
    report.play("stopped and continued under load", case.stopped)
    report.play("everybody comes back at once", case.storm)
    report.play("a clock that jumps", case.clock)


class Cases:
    def __init__(self, report, apus, folder):
        self.report, self.apus, self.folder = report, apus, folder

    def server(self, *arguments, **keywords):
        return Server(self.apus, self.folder, *arguments, **keywords)

    def calm(self):
        """What the honest client sees when nobody disturbs it: the measure for all that follows."""
        with self.server() as server:
            with honest.served(server.address) as latencies:
                time.sleep(3)
            self.report.note(f"undisturbed: {latencies}")

    # --- floods -------------------------------------------------------------------------------------------------------

    def flood_trusted(self):
        """Loopback is trusted, so only the limits for all hold: who says nothing is closed after 5 s."""
        with self.server("--max-connections", "1500") as server:
            attack = Attack(attacks.flood, server.address, NEAR, 3000)
            with honest.served(server.address) as latencies, attack:
                eventually(lambda: attack.opened.value >= 1600, "the flood did not reach the limit")
                time.sleep(FLOOD_SECONDS)
                require(server.descriptor_count <= 1600, f"the server has {server.descriptor_count} descriptors")
            # Somebody new comes in as soon as the silent ones have had their time.
            eventually(lambda: self._is_served(server), "nobody is let in after the flood", 10)
            server.require_counted("refusals", "connection_limit")
            server.require_counted("closes", "first_byte_timeout")
            self.report.note(f"{attack.opened.value} connections, {attack.closed.value} closed; honest: {latencies}")

    def flood_limited(self):
        """The defaults, had the flood come from elsewhere: 500 at once, 100 a second, 1,000 in all for its address."""
        with self.server("--limit-loopback") as server:
            attack = Attack(attacks.flood, server.address, FAR, 3000)
            with honest.served(server.address) as latencies, attack:
                eventually(lambda: attack.closed.value > 0, "nobody was refused")
                started = time.monotonic()
                while time.monotonic() < started + FLOOD_SECONDS:
                    require(server.descriptor_count < 1100, f"one address holds {server.descriptor_count} descriptors")
                    require(self._is_served(server), "the flood keeps another address out")
                    time.sleep(0.2)
            server.require_counted("refusals", "address_rate")
            self.report.note(f"{attack.opened.value} connections, {attack.closed.value} closed; honest: {latencies}")

    def _is_served(self, server, source=NEAR):
        try:
            with honest.connect(server.address, source) as stream:
                honest.ask(stream)
                return True
        except (OSError, Failed):
            return False

    # --- slow peers ---------------------------------------------------------------------------------------------------

    def slowloris(self):
        self._dribble(400, wire.header(1 << 20), 25)

    def slowloris_kinds(self):
        for opening in (b"N", wire.PING[:-1], wire.header(1 << 24) + bytes(100), wire.echo(b"whole") + b"NPRO"):
            self._dribble(50, opening, 20, *PROMPT)

    def _dribble(self, count, opening, seconds, *arguments):
        with self.server(*arguments) as server:
            with honest.served(server.address) as latencies:
                with Attack(attacks.dribble, server.address, NEAR, count, opening) as attack:
                    eventually(lambda: attack.opened.value == count, f"only {attack.opened.value} dribblers came in")
                    # A packet that begins anew with each byte ends at its first wrong one.
                    eventually(lambda: attack.open_count == 0, lambda: f"{attack.open_count} dribblers stay", seconds)
            self.report.note(f"{count} dribblers gone; honest: {latencies}")

    def slow_consumers(self):
        with self.server(*PROMPT, "--min-peer-rate", "1MiB", "--max-outstanding-bytes", "256KiB") as server:
            with honest.served(server.address) as latencies:
                calm = server.descriptor_count
                with Attack(attacks.sip, server.address, NEAR, 100) as attack:
                    eventually(lambda: attack.opened.value == 100, "the sippers did not come in")
                    # They do not see it yet: what the kernel has for them comes first.
                    eventually(lambda: server.descriptor_count <= calm, "slow consumers keep their places", 30)
            self.report.note(f"100 slow consumers gone; honest: {latencies}")

    def ping_flood(self):
        with self.server() as server:
            with honest.served(server.address) as latencies:
                with Attack(attacks.ping_flood, server.address, NEAR, 20) as attack:
                    eventually(lambda: attack.closed.value >= 100, lambda: f"{attack.closed.value} were closed")
            server.require_counted("closes", "control_flood", 50)
            self.report.note(f"{attack.closed.value} floods ended; honest: {latencies}")

    # --- memory -------------------------------------------------------------------------------------------------------

    def strangers(self):
        """What a stranger has of the server's memory before its handshake: silent, and in the middle of a packet."""
        count = 1000
        with self.server("--handshake-timeout", "60s", "--connection-timeout", "60s", security="handshake") as server:
            server.may_be_forced = True
            streams = [honest.connect(server.address) for _ in range(50)]
            time.sleep(0.3)
            before = server.resident_byte_count
            try:
                streams += [honest.connect(server.address) for _ in range(count)]
                time.sleep(0.5)
                silent = (server.resident_byte_count - before) / count
                for stream in streams[50:]:
                    stream.sendall(wire.header(1024) + b"x")
                time.sleep(0.5)
                speaking = (server.resident_byte_count - before) / count
            finally:
                for stream in streams:
                    stream.close()
        self.report.note(f"{silent:.0f} bytes a silent stranger, {speaking:.0f} with a packet begun")
        require(silent < 4096 and speaking < 3 * 4096, "strangers have too much of the server's memory")

    # --- the host -----------------------------------------------------------------------------------------------------

    def descriptors(self):
        """Born with more descriptors than it reckons with, it has none left before its own limit is reached.

        Connections wait in the backlog, nobody spins, and they are served as others leave."""
        with self.server(limits=(256, 100)) as server:
            with honest.served(server.address) as latencies:
                streams = [honest.connect(server.address) for _ in range(200)]
                for stream in streams:
                    stream.sendall(wire.echo(b"waits"))
                eventually(lambda: server.descriptor_count == 256, "there are descriptors left")
                used = server.cpu_seconds
                streams[-1].settimeout(2)
                require(_is_silent(streams[-1]), "a connection was served without a descriptor for it")
                spent = server.cpu_seconds - used
                streams[-1].settimeout(honest.PATIENCE_SECONDS)
                for stream in streams:
                    require(honest.read_packet(stream) == wire.echo(b"waits"), "what waited was answered wrongly")
                    stream.close()
            server.require_counted("refusals", "no_descriptor")
            self.report.note(f"{spent:.2f} s of processor in 2 s without descriptors; honest: {latencies}")
            require(spent < 1, "the server spins while it has no descriptor")

    def stopped(self):
        """Nobody is closed for time in which the server itself did not run."""
        with self.server("--heartbeat-interval", "500ms", *PROMPT) as server:
            halves = [honest.connect(server.address) for _ in range(50)]
            request = wire.echo(b"in two halves")
            with honest.served(server.address) as latencies:
                for _ in range(3):
                    for stream in halves:
                        stream.sendall(request[:15])
                    time.sleep(0.2)
                    server.signal(signal.SIGSTOP)
                    for stream in halves:
                        stream.sendall(request[15:])
                    time.sleep(3)
                    server.signal(signal.SIGCONT)
                    for stream in halves:
                        reply = honest.read_packet(stream)
                        while reply == wire.PING:
                            stream.sendall(wire.PONG)
                            reply = honest.read_packet(stream)
                        require(reply == request, f"a packet in two halves was answered with {reply!r}")
            for stream in halves:
                stream.close()
            self.report.note(f"stopped three times for 3 s; honest: {latencies}")

    def storm(self):
        """Idle clients lose their connections, and all come back at the same moment, several times."""
        count, seconds = 500, []
        with self.server() as server:
            with honest.served(server.address) as latencies:
                for _ in range(5):
                    started = time.monotonic()
                    streams = [honest.connect(server.address) for _ in range(count)]
                    for stream in streams:
                        stream.sendall(wire.PING)
                    for stream in streams:
                        require(honest.read_packet(stream) == wire.PONG, "a PING was answered wrongly")
                    seconds.append(time.monotonic() - started)
                    for stream in streams:
                        stream.close()
            text = ", ".join(f"{duration:.2f}" for duration in seconds)
            self.report.note(f"{count} clients back in {text} s; honest: {latencies}")

    # --- the clock ----------------------------------------------------------------------------------------------------

    def clock(self):
        """The server's wall clock jumps: handshakes are refused while it is wrong, and nothing else changes."""
        clock = pathlib.Path(self.folder) / "clock"
        clock.write_text("+0\n")
        environment = {
            "LD_PRELOAD": _faketime_library(),
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        with self.server("--heartbeat-interval", "500ms", *PROMPT, environment=environment) as server:
            with honest.served(server.address) as latencies:
                for offset in ("+1h", "-1h", "+400d", "+0"):
                    clock.write_text(offset + "\n")
                    time.sleep(1.5)
            self.report.note(f"the clock jumped four times; honest: {latencies}")
        clock.write_text("+0\n")
        with self.server(security="handshake", environment=environment) as server:
            for offset, is_right in (("+0", True), ("+1h", False), ("-1h", False), ("+20", True), ("+0", True)):
                clock.write_text(offset + "\n")
                said = self._ping(server)
                require((said.returncode == 0) == is_right, f"with the clock at {offset}: {said.stdout}{said.stderr}")
            server.require_counted("handshake_refusals", "stale_timestamp")

    def _ping(self, server):
        address = "{}:{}".format(*server.address)
        command = [str(self.apus), "ping", "--address", address, "--timeout", "5s"]
        return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX, check=False)


def _is_silent(stream):
    try:
        return not stream.recv(1)
    except TimeoutError:
        return True


def _faketime_library():
    for folder in pathlib.Path("/usr/lib").glob("*/faketime"):
        library = folder / "libfaketimeMT.so.1"
        if os.access(library, os.R_OK):
            return str(library)
    raise Skipped("libfaketime is missing: install the Debian package libfaketime")
