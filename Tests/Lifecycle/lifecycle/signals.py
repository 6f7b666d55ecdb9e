"""Drains, and the file that names the process."""

import os
import signal
import stat
import time

from npro import wire
from npro.rig import require

from .load import Caller
from .server import eventually


def play(report, rig):
    report.play("signals: SIGUSR1 drains until nobody is left", lambda: patient_drain(rig))
    report.play("signals: SIGTERM hastens a patient drain", lambda: hastened_drain(rig))
    report.play("signals: the lead time comes first, accepting goes on in it", lambda: lead_time(rig))
    report.play("signals: SIGQUIT says how it is and goes on", lambda: dump(rig))
    report.play("signals: the PID file names it while it serves", lambda: pid_file(rig))


def patient_drain(rig):
    with rig.serve("--shutdown-timeout", "50ms") as server, Caller(server.addresses()[0]) as caller:
        require(caller.echo(b"a"), "no reply")
        server.signal(signal.SIGUSR1)
        server.await_text("SIGUSR1: draining until nobody is left")
        message = caller.receive()
        require(message and message.kind == wire.DISCONNECT, f"{message}")
        # Longer than the short deadline: it does not count here.
        time.sleep(0.3)
        require(caller.echo(b"b"), "cut off")
        caller.stream.close()
        require(server.wait() == 0, server.written())


def hastened_drain(rig):
    with rig.serve("--shutdown-timeout", "50ms") as server, Caller(server.addresses()[0]) as caller:
        require(caller.echo(b"a"), "no reply")
        server.signal(signal.SIGUSR1)
        server.await_text("SIGUSR1: draining")
        server.signal(signal.SIGTERM)
        require(server.wait() == 6, server.written())


def lead_time(rig):
    with rig.serve("--drain-delay", "1s") as server:
        address = server.addresses()[0]
        server.signal(signal.SIGTERM)
        server.await_text("SIGTERM: draining")
        with Caller(address) as caller:
            require(caller.echo(b"late"), "refused during the lead time")
        require(server.wait() == 0, server.written())


def dump(rig):
    with rig.serve() as server, Caller(server.addresses()[0]) as caller:
        require(caller.echo(b"a"), "no reply")
        server.signal(signal.SIGQUIT)
        server.await_text("state: connections")
        require(caller.echo(b"b"), "it ended")


def pid_file(rig):
    path = rig.path("pid")
    with rig.serve("--pid-file", path) as server:
        server.addresses()
        eventually(path.exists, "no PID file")
        require(path.read_text() == f"{server.process.pid}\n", path.read_text())
        require(stat.S_IMODE(os.stat(path).st_mode) == 0o644, oct(os.stat(path).st_mode))
        server.signal(signal.SIGTERM)
        require(server.wait() == 0, server.written())
        require(not path.exists(), "the PID file was left behind")
