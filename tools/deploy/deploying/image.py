"""Runs what an image would run, in the folder that it was carried out in: its command as its user under its seccomp
profile, its health check, the signal that stops it.

    image FOLDER STARTED PROFILE   STARTED: what `dockerfile perform` printed
"""

import json
import os
import pathlib
import subprocess
import sys
import time

from . import confinement, report, seccomp

_START_SECONDS = 15
_STOP_SECONDS = 20


def _command(folder, user, profile, words):
    """In a child: into the folder, then confined; the profile is read before the folder hides it."""
    rules = confinement.profile_rules(profile)
    seccomp.load_library()

    def enter():
        os.chroot(folder)
        os.chdir("/")
        confinement.confine(rules, user)

    return {"args": words, "preexec_fn": enter, "env": {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}}


def _answers(run, words):
    return subprocess.run(**run(words), capture_output=True, text=True, timeout=30, check=False)


def main():
    folder, started, profile = map(pathlib.Path, sys.argv[1:])
    image = json.loads(started.read_text(encoding="utf-8"))
    outcome = report.Report("image")
    user = int(image["user"].split(":")[0])

    def run(words):
        return _command(folder, user, profile, words)

    command, has_configuration = image["command"], True
    if "--config" not in _answers(run, ["/usr/bin/apus", "serve", "--help"]).stdout:
        outcome.note("this apus takes no --config yet: served with its defaults")
        command, has_configuration = ["/usr/bin/apus", "serve"], False
    log = (folder / "server.log").open("w+", encoding="utf-8")
    server = subprocess.Popen(**run(command), stdout=log, stderr=log)
    try:
        ping = _ping_until_answered(run, server)
        outcome.confirm(ping.returncode == 0, f"no answer: {ping.stderr}{(folder / 'server.log').read_text()}")
        if has_configuration:
            health = _answers(run, image["health"])
            outcome.confirm(health.returncode == 0, f"the health check fails: {health.stderr}")
        server.terminate()
        code = server.wait(timeout=_STOP_SECONDS)
        outcome.confirm(code == 0, f"it ends with exit code {code}: {(folder / 'server.log').read_text()}")
    finally:
        if server.poll() is None:
            server.kill()
    outcome.end()


def _ping_until_answered(run, server):
    deadline = time.monotonic() + _START_SECONDS
    while True:
        ping = _answers(run, ["/usr/bin/apus", "ping", "--count", "1"])
        if ping.returncode == 0 or time.monotonic() > deadline or server.poll() is not None:
            return ping
        time.sleep(0.1)


if __name__ == "__main__":
    main()
