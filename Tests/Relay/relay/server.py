"""`apus serve --relay` as a process: started, asked what it is doing, and ended by its own number."""

import http.client
import itertools
import json
import os
import pathlib
import re
import resource
import signal
import subprocess
import time

from npro.rig import Failed, require

PATIENCE_SECONDS = 20
LISTENING = re.compile(r"^listening on (\S+) \((\w+)", re.MULTILINE)
SECRET = "a secret of the tests, of thirty-two bytes and more"
URL, TLS_URL = "rel://relay.test:443", "rels://relay.test:443"


def eventually(condition, complaint, seconds=PATIENCE_SECONDS):
    """Returns as soon as the condition holds, with what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        require(time.monotonic() < deadline, complaint() if callable(complaint) else complaint)
        time.sleep(0.02)
    return found


def plain_flags(url=URL):
    """A drop-in's, on ports that are free."""
    return ["--listen-address", "127.0.0.1:0", "--exposed-address", url, "--auth-secret", SECRET,
            "--health-listen-address", "127.0.0.1:0", "--metrics-port", "0"]


def tls_flags(certificate, key):
    return ["--relay", *plain_flags(TLS_URL), "--tls-cert-file", certificate, "--tls-key-file", key]


class Rig:
    """The executable and a folder. Each path is another one: cases share no file, and sockets' paths stay short."""

    def __init__(self, apus, folder):
        self.apus, self.folder = apus, pathlib.Path(folder)
        self._numbers = itertools.count()
        self._certificate = None

    def path(self, name):
        return self.folder / f"{next(self._numbers)}-{name}"

    def file(self, name, text, mode=0o600):
        path = self.path(name)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run(self, *words, timeout=PATIENCE_SECONDS):
        return subprocess.run([str(self.apus), *map(str, words)], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, check=False, timeout=timeout)

    def certificate(self, name="edge"):
        """A new self-signed one for localhost: its file and its key's."""
        folder = self.path("pki")
        made = self.run("certs", "self-signed", name, "--san", "localhost", "--out", folder)
        require(made.returncode == 0, made.stderr)
        return folder / f"{name}.pem", folder / f"{name}.key"

    def serve(self, *arguments, **options):
        return Relay(self, *arguments, **options)


class Relay:
    """One relay. Use it in a `with`; it has to have a control socket, metrics and /health, wherever they listen."""

    def __init__(self, rig, *arguments, environment=None, shards=2, flags=None, settings=None):
        """`flags`: instead of those of a drop-in with our secret. `settings`: keys of [relay] and their values."""
        self.rig, self.control = rig, f"unix:{rig.path('control')}"
        self._log_path = rig.path("log")
        flags = ["--relay", *plain_flags()] if flags is None else flags
        command = [str(rig.apus), "serve", *map(str, flags), "--shards", str(shards), "--admin", "--admin-address",
                   "127.0.0.1:0", "--control-socket", self.control, "--upgrade-socket", "none", *map(str, arguments)]
        # What this session was itself told about relays is not for its servers.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("NB_", "OZ_", "APUS_"))}
        own |= {f"APUS_RELAY_{key.upper()}": str(value) for key, value in (settings or {}).items()}
        self._log = open(self._log_path, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT,
                                        env=own | (environment or {}))
        self.pid = self.process.pid

    def __enter__(self):
        try:
            eventually(self._is_up, lambda: f"it did not come up: {self.written()}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _is_up(self):
        require(self.process.poll() is None, f"it ended: {self.written()}")
        # The last one to be told.
        if "listener=control" not in self.written():
            return False
        found = [(kind, _pair(text)) for text, kind in LISTENING.findall(self.written()) if not text.startswith("unix")]
        self.address = next(address for kind, address in found if kind == "relay")
        self._sort_admin_addresses([address for kind, address in found if kind == "admin"])
        return True

    def _sort_admin_addresses(self, addresses):
        """Which of them is which is told by what it answers; the one that answers all stands in for the others."""
        self.health_address = self.metrics_address = None
        for address in addresses:
            answers = {path for path in ("/health", "/metrics", "/status") if _get(address, path)[0] != 404}
            if "/health" in answers and ("/status" not in answers or not self.health_address):
                self.health_address = address
            if "/metrics" in answers and ("/status" not in answers or not self.metrics_address):
                self.metrics_address = address

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._log.close()

    # --- what it says -------------------------------------------------------------------------------------------------

    def written(self):
        return self._log_path.read_text(errors="replace")

    def await_text(self, text, count=1):
        eventually(lambda: self.written().count(text) >= count, lambda: f"'{text}' never came: {self.written()}")

    def health(self):
        """The status and what it says."""
        return _get(self.health_address, "/health")

    def metrics(self):
        """Each series and its value."""
        status, text = _get(self.metrics_address, "/metrics")
        require(status == 200, f"/metrics is answered with {status}")
        lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
        return {series: float(value) for series, _, value in lines}

    def metric(self, series):
        found = self.metrics()
        require(series in found, f"{series} is not among the metrics")
        return found[series]

    def await_metric(self, series, value):
        eventually(lambda: self.metric(series) == value, lambda: f"{series} is {self.metric(series)}, not {value}")

    def peers(self):
        """What `apus peers` lists."""
        said = self.rig.run("peers", "--json", "--control", self.control)
        require(said.returncode == 0, f"apus peers: {said.stderr}")
        return json.loads(said.stdout)["peers"]

    # --- what it uses -------------------------------------------------------------------------------------------------

    @property
    def resident_byte_count(self):
        pages = int(pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    @property
    def cpu_seconds(self):
        """The scheduler's own account, to the nanosecond: a clock tick would be a tenth of what is measured here."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9

    # --- what it is told ----------------------------------------------------------------------------------------------

    def signal(self, number):
        self.process.send_signal(number)

    def reload(self):
        said = self.rig.run("reload", "--control", self.control)
        require(said.returncode == 0, f"apus reload: {said.stdout} {said.stderr}")
        return said.stdout

    def end(self):
        """It drains and ends; its exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failed(f"it did not end: {self.written()}") from None


def _pair(text):
    host, _, port = text.rpartition(":")
    host = host.strip("[]")
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), int(port)


def _get(address, path):
    connection = http.client.HTTPConnection(*address, timeout=PATIENCE_SECONDS)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()
