"""Serves under a confinement and talks to it: what the unit or the profile grants is enough, and it is a confinement.

    serving APUS FOLDER --unit FILE | --profile FILE
"""

import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from . import report

_START_SECONDS = 15
_STOP_SECONDS = 20
_USER = 10001
_READY = re.compile(r"^listening on (\S+) ", re.MULTILINE)


class Confined:
    """Starts commands under one confinement; the executable lies where every user finds it."""

    def __init__(self, apus, folder, confinement):
        self.folder = pathlib.Path(folder) / "served"
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.folder.parent.chmod(0o755)
        self.apus = self.folder / "apus"
        shutil.copy(apus, self.apus)
        self.wrapper = [sys.executable, "-m", "deploying.confinement", *confinement, "--user", str(_USER)]
        # Confinement loses root, and with it the way to libraries in folders that only root may enter.
        self.environment = os.environ | {"LD_LIBRARY_PATH": str(self._libraries())}

    def _libraries(self):
        """Swift's libraries beside the executable, for one that is not linked with them."""
        listing = subprocess.run(["ldd", self.apus], capture_output=True, text=True, check=True).stdout
        for path in re.findall(r"=> (\S*/lib(?:swift|Foundation|_Foundation|dispatch|Blocks)\S*)", listing):
            shutil.copy(path, self.folder)
        return self.folder

    def command(self, *words):
        return [*self.wrapper, *map(str, words)]

    def run(self, *words):
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, env=self.environment, timeout=60, check=False
        )

    def serve(self, log, *options, variables=None):
        environment = self.environment | (variables or {})
        with log.open("w", encoding="utf-8") as output:
            return subprocess.Popen(
                self.command(self.apus, "serve", *options), stdout=output, stderr=output, env=environment
            )


def _start(confined, log, *more):
    options = ["--shards", "2", "--compression", "zstd,lz4", "--address", "127.0.0.1:0"]
    return confined.serve(log, *options, "--address", f"unix:{confined.folder}/edge.sock", *more)


def _wait_until_ready(server, log):
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if ready := _READY.search(log.read_text(encoding="utf-8")):
            return ready[1]
        time.sleep(0.05)
    return None


def check_server(confined, outcome):
    """Over TCP and a UNIX socket, with the handshake and with compression, to the drain."""
    log = confined.folder / "server.log"
    server = _start(confined, log)
    try:
        address = _wait_until_ready(server, log)
        said = log.read_text(encoding="utf-8")
        if outcome.confirm(address, f"the server does not start under this confinement: {said}"):
            _talk(confined, outcome, address)
        server.terminate()
        code = server.wait(timeout=_STOP_SECONDS)
        outcome.confirm(code == 0, f"the drain ended with exit code {code}: {log.read_text(encoding='utf-8')}")
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def _talk(confined, outcome, address):
    for where in (address, f"unix:{confined.folder}/edge.sock"):
        ping = confined.run(confined.apus, "ping", "--count", "2", "--interval", "10ms", "--address", where)
        outcome.confirm("2 answered" in ping.stdout, f"ping {where}: {ping.stdout}{ping.stderr}")
    text = "words " * 2000
    echo = confined.run(confined.apus, "echo", text, "--address", address, "--compression", "zstd")
    outcome.confirm(text.strip() in echo.stdout, f"echo {address}: {echo.stdout[:200]}{echo.stderr}")


_RELAY_SECRET = "a secret of this check, thirty-two bytes"
_RELAY_VARIABLES = {
    "NB_LISTEN_ADDRESS": "127.0.0.1:0",
    "NB_HEALTH_LISTEN_ADDRESS": "127.0.0.1:0",
    "NB_METRICS_PORT": "0",
    "NB_EXPOSED_ADDRESS": "rel://relay.example:443",
    "NB_AUTH_SECRET": _RELAY_SECRET,
}


def check_relay(confined, outcome):
    """In the relatives' place, with their variables: peers exchange datagrams through it, to the drain."""
    log = confined.folder / "relay.log"
    relay = confined.serve(log, "--relay", "--shards", "2", variables=_RELAY_VARIABLES)
    try:
        address = _wait_until_ready(relay, log)
        if outcome.confirm(address, f"no relay starts under this confinement: {log.read_text(encoding='utf-8')}"):
            load = ["--pairs", "2", "--seconds", "0.3", "--warmup", "0", "--json", "--auth-secret", _RELAY_SECRET]
            bench = confined.run(confined.apus, "bench", "relay", "--address", address, *load)
            outcome.confirm(bench.returncode == 0, f"bench relay {address}: {bench.stdout}{bench.stderr}")
            outcome.confirm(re.search(r'"delivered":[1-9]', bench.stdout), f"nothing came through: {bench.stdout}")
        relay.terminate()
        code = relay.wait(timeout=_STOP_SECONDS)
        outcome.confirm(code == 0, f"the relay's drain ended with {code}: {log.read_text(encoding='utf-8')}")
    finally:
        if relay.poll() is None:
            relay.kill()
            relay.wait()


def check_upgrade(confined, outcome):
    """A server gives way to its next version: it starts a process and hands descriptors on, all of it confined."""
    if "upgrade" not in confined.run(confined.apus, "--help").stdout:
        outcome.note("this apus has no verb 'upgrade' yet: no hand-over was tried")
        return
    log, socket = confined.folder / "upgraded.log", confined.folder / "upgrade.sock"
    server = _start(confined, log, "--upgrade-socket", str(socket))
    successor = None
    try:
        outcome.confirm(_wait_until_ready(server, log), f"it does not start: {log.read_text(encoding='utf-8')}")
        upgrade = confined.run(confined.apus, "upgrade", "--socket", socket)
        taken = re.search(r"process (\d+) has taken over", upgrade.stdout + upgrade.stderr)
        if outcome.confirm(taken, f"no hand-over: {upgrade.stdout}{upgrade.stderr}{log.read_text(encoding='utf-8')}"):
            successor = int(taken[1])
            outcome.confirm(server.wait(timeout=_STOP_SECONDS) == 0, "the old process does not end well")
            where = f"unix:{confined.folder}/edge.sock"
            ping = confined.run(confined.apus, "ping", "--count", "1", "--address", where)
            outcome.confirm("1 answered" in ping.stdout, f"the successor does not answer: {ping.stderr}")
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()
        if successor is not None:
            _end(successor)


def _end(process):
    """Drains the successor, which is no child of ours and does not outlive this check."""
    os.kill(process, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    while pathlib.Path(f"/proc/{process}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    if pathlib.Path(f"/proc/{process}").exists():
        os.kill(process, signal.SIGKILL)


# One call that a relay has no use for, and one way to more rights than it was started with.
_FORBIDDEN = {
    "unshare(2)": ("unshare", "--user", "true"),
    "mount(2)": ("unshare", "--mount", "true"),
}


def check_confinement(confined, outcome):
    for call, command in _FORBIDDEN.items():
        tried = confined.run(*command)
        outcome.confirm(tried.returncode != 0, f"{call} is let through: this is no confinement")
    status = confined.run("grep", "-E", "^(NoNewPrivs|Seccomp|CapBnd):", "/proc/self/status").stdout
    outcome.confirm(re.search(r"NoNewPrivs:\s1", status), f"no_new_privs is not set: {status}")
    outcome.confirm(re.search(r"Seccomp:\s2", status), f"there is no filter: {status}")
    if os.geteuid() == 0:
        outcome.confirm(re.search(r"CapBnd:\s0+400$", status, re.MULTILINE), f"capabilities are left: {status}")


def main():
    apus, folder, *confinement = sys.argv[1:]
    outcome = report.Report(f"serving under {pathlib.Path(confinement[-1]).name}")
    confined = Confined(apus, folder, confinement)
    check_confinement(confined, outcome)
    check_server(confined, outcome)
    check_relay(confined, outcome)
    check_upgrade(confined, outcome)
    outcome.end()


if __name__ == "__main__":
    main()
