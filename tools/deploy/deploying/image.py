"""Runs what an image would run, in the folder that it was carried out in: its command as its user under its seccomp
profile, its health check, the signal that stops it.

    image FOLDER STARTED PROFILE          STARTED: what `dockerfile perform` or `dockerfile describe` printed
    image FOLDER STARTED PROFILE relay    of the image that takes the place of NetBird's relay
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
_RELAY_SECRET = "a secret of this check, thirty-two bytes"
# Nothing else is needed: the ports are its relatives'.
_RELAY_VARIABLES = {"NB_EXPOSED_ADDRESS": "rel://relay.example:443", "NB_AUTH_SECRET": _RELAY_SECRET}


def _command(folder, user, profile, variables, words):
    """In a child: into the folder, then confined; the profile is read before the folder hides it."""
    rules = confinement.profile_rules(profile)
    seccomp.load_library()

    def enter():
        os.chroot(folder)
        os.chdir("/")
        confinement.confine(rules, user)

    environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"} | variables
    return {"args": words, "preexec_fn": enter, "env": environment}


def _answers(run, words):
    return subprocess.run(**run(words), capture_output=True, text=True, timeout=30, check=False)


def main():
    folder, started, profile = map(pathlib.Path, sys.argv[1:4])
    is_relay = sys.argv[4:] == ["relay"]
    image = json.loads(started.read_text(encoding="utf-8"))
    outcome = report.Report("image of the relay" if is_relay else "image")
    user = int(image["user"].split(":")[0])

    def run(words):
        return _command(folder, user, profile, _RELAY_VARIABLES if is_relay else {}, words)

    log = (folder / "server.log").open("w+", encoding="utf-8")
    server = subprocess.Popen(**run(image["command"]), stdout=log, stderr=log)
    try:
        client = _tried_until_answered(run, _RELAY_CLIENT if is_relay else _CLIENT, server)
        outcome.confirm(client.returncode == 0, f"no answer: {client.stderr}{(folder / 'server.log').read_text()}")
        health = _answers(run, image["health"])
        outcome.confirm(health.returncode == 0, f"the health check fails: {health.stderr}")
        server.terminate()
        code = server.wait(timeout=_STOP_SECONDS)
        outcome.confirm(code == 0, f"it ends with exit code {code}: {(folder / 'server.log').read_text()}")
    finally:
        if server.poll() is None:
            server.kill()
    outcome.end()


_CLIENT = ["/usr/bin/apus", "ping", "--count", "1"]
_RELAY_CLIENT = ["/usr/bin/apus", "bench", "relay", "--address", "127.0.0.1:443", "--auth-secret", _RELAY_SECRET]
_RELAY_CLIENT += ["--pairs", "2", "--seconds", "0.3", "--warmup", "0"]


def _tried_until_answered(run, words, server):
    deadline = time.monotonic() + _START_SECONDS
    while True:
        client = _answers(run, words)
        if client.returncode == 0 or time.monotonic() > deadline or server.poll() is not None:
            return client
        time.sleep(0.1)


if __name__ == "__main__":
    main()
