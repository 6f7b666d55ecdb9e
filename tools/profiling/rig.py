"""A server and a generator, as processes: started, driven, drained. Knows only the command line of `apus`."""

import contextlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time

_READY = re.compile(r"listening on (\S+).*\n")
_STOP_SECONDS = 60
# Below valgrind a server needs seconds to start on a slow machine.
_START_SECONDS = 60


class RigError(Exception):
    """Says what did not start, run or stop."""


class Server:
    """A running `apus serve` with one shard, on the first core if there are two."""

    def __init__(self, apus, wrapper=()):
        # A file, not a pipe: nobody reads while the load runs, and a full pipe would stop the server.
        self.log = tempfile.TemporaryFile("w+")
        command = [*_pinned("0"), *wrapper, apus, *_serve_options()]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        self.address = self._wait_until_ready()

    def _wait_until_ready(self):
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            if ready := _READY.search(self.said()):
                return ready[1]
            time.sleep(0.05)
        self.process.kill()
        raise RigError(f"the server did not start: {' '.join(self.process.args)}\n{self.said()}")

    def said(self):
        # Read at an offset of its own: the server writes at the end, through the same open file.
        return os.pread(self.log.fileno(), 1 << 20, 0).decode(errors="replace")

    def stop(self):
        """Drains. A server that does not end is killed and is an error: its profile would be lost."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RigError(f"the server did not drain within {_STOP_SECONDS} s") from None
        if self.process.returncode != 0:
            raise RigError(f"the server ended with exit code {self.process.returncode}:\n{self.said()}")


def _serve_options():
    return ["serve", "--address", "127.0.0.1:0", "--security", "none", "--shards", "1"]


def _pinned(core):
    """Server and generator on a core each: neither then measures the other's turn."""
    return ["taskset", "-c", core] if len(os.sched_getaffinity(0)) > 1 else []


@contextlib.contextmanager
def serving(apus, wrapper=()):
    server = Server(apus, wrapper)
    try:
        yield server
        server.stop()
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()


class Load:
    """What the generator is told; `run` is one run of it and returns what it reported."""

    def __init__(self, apus, connections, depth, size):
        self.apus, self.connections, self.depth, self.size = apus, connections, depth, size

    def __str__(self):
        return f"{self.connections} connections × depth {self.depth}, {self.size}-byte Echo"

    def start(self, server, seconds):
        options = ["--connections", self.connections, "--depth", self.depth, "--size", self.size]
        where = ["--address", server.address, "--security", "none"]
        command = [self.apus, "bench", "packet", *where, *map(str, options)]
        command += ["--seconds", str(seconds), "--warmup", "0", "--json", "--server-pid", str(server.process.pid)]
        return subprocess.Popen(
            _pinned("1") + command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True
        )

    def run(self, server, seconds):
        return self.finish(self.start(server, seconds))

    def finish(self, process):
        output, said = process.communicate()
        if process.returncode != 0:
            raise RigError(f"{' '.join(process.args)} ended with exit code {process.returncode}:\n{said}")
        report = json.loads(output)
        if report["messages"] == 0:
            raise RigError(f"no message came back:\n{output}")
        return report
