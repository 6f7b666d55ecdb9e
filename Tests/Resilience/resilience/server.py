"""One `apus serve`, and what the kernel and the server itself say of it."""

import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import urllib.request

from .report import eventually, require

READY = re.compile(r"listening on (\S+) \(packet")
ADMIN = re.compile(r"listening on (127\.0\.0\.1:\d+) \(admin")
START_SECONDS_MAX, STOP_SECONDS_MAX = 20, 20


class Server:
    """To be used in a `with` block, at whose end the process must end by itself with exit code 0."""

    def __init__(self, apus, folder, *arguments, security="none", environment=None, limits=None):
        """`limits`: how many descriptors the process may have, and how many of them it is born with."""
        self._command = [str(apus), "serve", "--address", "127.0.0.1:0", "--security", security, *arguments]
        if environment:
            # A preloaded library may move the environment when it starts, where Swift looks for its arguments: it is
            # at rest by the time that `env` becomes the server.
            self._command.insert(0, "/usr/bin/env")
        self._log = pathlib.Path(folder) / "server.log"
        self._environment = {**os.environ, **(environment or {})}
        self._limits = limits
        self.may_be_forced = False

    def __enter__(self):
        most, held = self._limits or (None, 0)
        ballast = [os.open(os.devnull, os.O_RDONLY) for _ in range(held)]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                pass_fds=ballast,
                preexec_fn=most and (lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))),
            )
        for descriptor in ballast:
            os.close(descriptor)
        self.pid = self._process.pid
        try:
            text = eventually(self._address, lambda: f"the server did not start: {self.log}", START_SECONDS_MAX)
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise
        host, port = text.rsplit(":", 1)
        self.address = (host, int(port))
        return self

    def __exit__(self, kind, error, trace):
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            code = self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            code = "none within the time that a drain may take"
        allowed = (0, 6) if self.may_be_forced else (0,)
        if error is None:
            require(code in allowed, f"the server's exit code is {code}: {self.log}")

    def _address(self):
        require(self._process.poll() is None, f"the server ended: {self.log}")
        found = READY.search(self.log)
        return found and found[1]

    @property
    def log(self):
        return self._log.read_text()

    def signal(self, number):
        if self._process.poll() is None:
            self._process.send_signal(number)

    @property
    def resident_byte_count(self):
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    @property
    def descriptor_count(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def status(self):
        """What the server counts, by name; nothing where it has no admin listener to ask."""
        found = ADMIN.search(self.log)
        if not found:
            return {}
        with urllib.request.urlopen(f"http://{found[1]}/status", timeout=5) as answer:
            return json.load(answer)

    def require_counted(self, group, reason, least=1):
        """The reason is counted, where the server can be asked; the peers' view of it is checked anyhow."""
        status = self.status()
        if status:
            counted = status.get(group, {}).get(reason, 0)
            require(counted >= least, f"{group}: {reason} is counted {counted} times, not {least}")
