"""Contenders and their processes: started, asked for their processor time, ended by their ids."""
import os
import pathlib
import re
import select
import signal
import socket
import subprocess
import tempfile
from dataclasses import dataclass

from .host import SERVER_CORE, Failure, say

READY = re.compile(r"listening on ([\d.]+:\d+)")
STOP_SECONDS_MAX = 10
BACKLOG = 4096


@dataclass(frozen=True)
class Contender:
    name: str
    command: tuple
    cores: str = SERVER_CORE
    scenarios: frozenset = frozenset()  # names of those it takes part in; empty: all
    client: tuple = ("--security", "none")  # how the generator must speak to it
    relays: bool = False
    start_seconds_max: float = 10
    stop_seconds_max: float = STOP_SECONDS_MAX

    def takes_part(self, scenario):
        return not self.scenarios or scenario.name in self.scenarios

    def start(self):
        return Server(self)


@dataclass(frozen=True)
class ProxyContender(Contender):
    """A server that only passes bytes on to another one, on the same core."""

    backend: Contender = None
    environment: tuple = ()  # pairs

    def start(self):
        return Proxy(self)


class Server:
    """One contender's process: up for the whole run."""

    def __init__(self, contender):
        self.contender = contender
        self.log = tempfile.TemporaryFile("w+")
        self.process = self.spawn(stdout=subprocess.PIPE)
        self.address = self.wait_until_ready()

    def spawn(self, **how):
        command = ["taskset", "-c", self.contender.cores, *self.contender.command]
        try:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=self.log, text=True, **how)
        except OSError as error:
            raise Failure(f"{self.contender.name} does not start: {error}") from error

    def wait_until_ready(self):
        readable, _, _ = select.select([self.process.stdout], [], [], self.contender.start_seconds_max)
        line = self.process.stdout.readline() if readable else ""
        ready = READY.search(line)
        if not ready:
            self.stop()
            raise Failure(f"{self.contender.name} printed no ready line but {line!r}: {self.said()}")
        return ready[1]

    def said(self):
        # Read at an offset of its own: the process writes at the end, through the same open file.
        return os.pread(self.log.fileno(), 1 << 16, 0).decode(errors="replace").strip()

    def own_cpu_nanoseconds(self):
        """Of all its threads, to the nanosecond; the clock ticks of /proc/PID/stat are too coarse for this."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        try:
            return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())
        except FileNotFoundError as error:
            raise Failure(f"{self.contender.name} is gone (exit code {self.process.poll()}): {self.said()}") from error

    def backend_cpu_nanoseconds(self):
        """Of whoever answers in its stead."""
        return 0

    def cpu_nanoseconds(self):
        return self.own_cpu_nanoseconds() + self.backend_cpu_nanoseconds()

    def stop(self):
        """Ended by SIGTERM: Apus drains and exits with 0, the others die of it. True when that is how it ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(self.contender.stop_seconds_max)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if code not in (0, -signal.SIGTERM, 128 + signal.SIGTERM):
            say(f"{self.contender.name} ended with {code}: {self.said()}")
        return code in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


class Proxy(Server):
    """Listens on a socket that it inherits: connections wait there until it is up, so there is no ready line to wait
    for and no port to guess."""

    def __init__(self, contender):
        self.backend = contender.backend.start()
        try:
            super().__init__(contender)
        except Failure:
            self.backend.stop()
            raise

    def spawn(self, **_):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        descriptor = self.listener.fileno()
        told = {"LISTENER": str(descriptor), "TARGET": self.backend.address, **dict(self.contender.environment)}
        return super().spawn(stdout=subprocess.DEVNULL, env=os.environ | told, pass_fds=[descriptor])

    def wait_until_ready(self):
        host, port = self.listener.getsockname()
        self.listener.close()
        return f"{host}:{port}"

    def backend_cpu_nanoseconds(self):
        return self.backend.cpu_nanoseconds()

    def stop(self):
        return all([super().stop(), self.backend.stop()])


def start_all(wanted):
    servers = []
    try:
        for contender in wanted:
            servers.append(contender.start())
    except (Failure, OSError):
        stop_all(servers)
        raise
    return servers


def stop_all(servers):
    """True when all of them ended as they should."""
    return all([server.stop() for server in servers])
