"""What every test against Apus needs: processes that end, output that is kept, and a count of what passed."""

import os
import pathlib
import re
import subprocess
import tempfile
import time
import traceback

START_SECONDS_MAX, STOP_SECONDS_MAX, COMMAND_SECONDS_MAX = 10, 15, 30
READY = re.compile(r"listening on (\S+)")


class Failed(Exception):
    """A case went wrong: what was expected and what came."""


class Skipped(Exception):
    """A case cannot be played here: why."""


def require(condition, complaint):
    if not condition:
        raise Failed(complaint)


class Report:
    """Plays cases one after the other and counts."""

    def __init__(self, only="", is_strict=False):
        self.only, self.is_strict = re.compile(only), is_strict
        self.passed, self.failed, self.skipped = 0, [], []

    def play(self, name, run):
        if not self.only.search(name):
            return
        started = time.monotonic()
        try:
            run()
        except Skipped as reason:
            return self.skip(name, reason)
        except (Failed, OSError, subprocess.SubprocessError) as error:
            return self.fail(name, error)
        except Exception:  # a mistake of these tests; the other cases go on
            return self.fail(name, traceback.format_exc())
        self.passed += 1
        print(f"passed   {name} ({time.monotonic() - started:.1f} s)", flush=True)

    def play_group(self, name, run):
        """What keeps a group of cases from beginning counts once."""
        try:
            run()
        except Skipped as reason:
            self.skip(name, reason)
        except Failed as reason:
            self.fail(name, reason)

    def fail(self, name, reason):
        self.failed.append(name)
        print(f"FAILED   {name}: {reason}", flush=True)

    def skip(self, name, reason):
        if self.only.search(name):
            self.skipped.append(name)
            print(f"skipped  {name}: {reason}", flush=True)

    def conclude(self):
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")
        return 1 if self.failed or not self.passed or (self.is_strict and self.skipped) else 0


class Running:
    """A process in the background, ended by its id when the `with` ends; what it wrote is kept in `folder`."""

    def __init__(self, folder, *command, stdin=subprocess.DEVNULL):
        self.log = tempfile.NamedTemporaryFile("w+b", dir=folder, suffix=".log", delete=False)
        self.process = subprocess.Popen(command, stdin=stdin, stdout=self.log, stderr=subprocess.STDOUT)
        self.command = command

    def __enter__(self):
        try:
            self.address = self._ready_address()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _ready_address(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while not (ready := READY.search(self.written())):
            require(self.process.poll() is None, f"{' '.join(self.command)} ended: {self.written()}")
            require(time.monotonic() < deadline, f"{' '.join(self.command)} did not come up: {self.written()}")
            time.sleep(0.02)
        host, _, port = ready[1].rpartition(":")
        return host.strip("[]"), int(port)

    def written(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Apus:
    """The executable under test, and which flags it knows."""

    def __init__(self, path, folder):
        self.path, self.folder = str(path), folder
        self.help = {}

    def knows(self, verb, *flags):
        if verb not in self.help:
            said = subprocess.run([self.path, verb, "--help"], capture_output=True, text=True, timeout=10, check=False)
            self.help[verb] = said.stdout + said.stderr
        return [flag for flag in flags if not re.search(re.escape(flag) + r"(?![\w-])", self.help[verb])] == []

    def require_flags(self, verb, *flags):
        for flag in flags:
            if not self.knows(verb, flag):
                raise Skipped(f"apus {verb} has no {flag}")

    def serve(self, *arguments):
        self.require_flags("serve", *(argument for argument in arguments if argument.startswith("--")))
        return Running(self.folder, self.path, "serve", "--address", "127.0.0.1:0", *arguments)

    def run(self, verb, *arguments, stdin=b""):
        """A client verb that has to end by itself; what it said is kept too."""
        self.require_flags(verb, *(argument for argument in arguments if argument.startswith("--")))
        ended = subprocess.run([self.path, verb, *arguments], input=stdin, capture_output=True, check=False,
                               timeout=COMMAND_SECONDS_MAX)
        with tempfile.NamedTemporaryFile("wb", dir=self.folder, suffix=".log", delete=False) as log:
            log.write(ended.stderr)
        return ended


def require_failure(ended):
    """It failed at run time and said why on one line, as docs/cli.md promises."""
    said = ended.stderr.decode(errors="replace").strip()
    require(ended.returncode == 1, f"exit code {ended.returncode}, not 1: {said or ended.stdout!r}")
    require(said, "it failed without a word")
    return said


def require_success(ended):
    said = ended.stderr.decode(errors="replace").strip()
    require(ended.returncode == 0, f"exit code {ended.returncode}, not 0: {said}")
    return ended.stdout


def address_text(address):
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def environment():
    """Without what would make a tool of the rig behave differently from machine to machine."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("OPENSSL_", "SSL_", "SSLKEY"))}
