"""Servers as processes: started, watched, and ended by their own numbers, whoever started them."""

import itertools
import os
import pathlib
import re
import signal
import subprocess
import time

from npro.rig import require

PATIENCE_SECONDS = 20
LISTENING = re.compile(r"^listening on (\S+)", re.MULTILINE)


def eventually(condition, complaint):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        require(time.monotonic() < deadline, complaint() if callable(complaint) else complaint)
        time.sleep(0.01)


def is_running(process_id):
    """Zombies have ended."""
    try:
        state = pathlib.Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def end(process_id):
    if is_running(process_id):
        try:
            os.kill(process_id, signal.SIGKILL)
        except ProcessLookupError:
            pass


class Rig:
    """Where things are."""

    def __init__(self, apus, folder):
        self.apus, self.folder = apus, folder
        self._numbers = itertools.count()

    def path(self, name):
        """Another one each time: cases share no file. Short, since sockets' paths have 107 bytes."""
        return self.folder / f"{next(self._numbers)}-{name}"

    def serve(self, *arguments, **options):
        return Server(self, *arguments, **options)


class Server:
    """`apus serve`, and whatever takes over from it. Use it in a `with`."""

    def __init__(self, rig, *arguments, apus=None, environment=None, before=(), addresses=("127.0.0.1:0",), **popen):
        self.log_path = rig.path("log")
        self.upgrade_path = rig.path("upgrade")
        listeners = [word for address in addresses for word in ("--address", str(address))]
        command = [*before, str(apus or rig.apus), "serve", "--security", "none", "--shards", "2", *listeners]
        command += ["--upgrade-socket", str(self.upgrade_path), *map(str, arguments)]
        # What this rig was itself told by a service manager is not for its servers.
        own = {name: value for name, value in os.environ.items() if not name.startswith(("NOTIFY_", "LISTEN_"))}
        self.log = open(self.log_path, "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT,
                                        env=own | (environment or {}), **popen)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process_id in {self.process.pid, *self.successors()}:
            end(process_id)
        self.process.wait()
        self.log.close()

    def written(self):
        return self.log_path.read_text(errors="replace")

    def successors(self):
        return [int(number) for number in re.findall(r"process (\d+) is to take over", self.written())]

    # --- waiting ------------------------------------------------------------------------------------------------------

    def await_text(self, text, count=1):
        eventually(lambda: self.written().count(text) >= count, lambda: f"'{text}' never came: {self.written()}")

    def addresses(self, count=1):
        """As they were printed, `HOST:PORT` or `unix:PATH`."""
        eventually(lambda: len(LISTENING.findall(self.written())) >= count or self.process.poll() is not None,
                   lambda: f"it did not come up: {self.written()}")
        found = LISTENING.findall(self.written())
        require(len(found) >= count, f"it ended: {self.written()}")
        return found

    def wait(self):
        return self.process.wait(PATIENCE_SECONDS)

    def signal(self, number):
        self.process.send_signal(number)
