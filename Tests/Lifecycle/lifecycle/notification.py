"""Type=notify: what the service manager hears, and when it may believe it."""

import signal
import time
import uuid

from npro.rig import require

from .load import Caller, Load
from .manager import Manager


def play(report, rig):
    report.play("notify: READY when connections are accepted, STOPPING at the drain", lambda: ready_and_stopping(rig))
    report.play("notify: an abstract address", lambda: abstract_address(rig))
    report.play("notify: the status line counts", lambda: status_line(rig))
    report.play("notify: a reload is framed by RELOADING and READY", lambda: reload_is_framed(rig))
    report.play("notify: the watchdog is fed twice an interval", lambda: watchdog_is_fed(rig))
    report.play("notify: another process's watchdog is left alone", lambda: foreign_watchdog(rig))
    report.play("notify: without a manager nothing is missing", lambda: without_manager(rig))


def ready_and_stopping(rig):
    with Manager(rig.path("notify")) as manager, rig.serve(environment=manager.environment) as server:
        _, process = manager.await_line("READY=1")
        require(process == server.process.pid, f"{process} is not {server.process.pid}")
        with Caller(server.addresses()[0]) as caller:
            require(caller.echo(b"a"), "no reply right after READY=1")
        server.signal(signal.SIGTERM)
        manager.await_line("STOPPING=1")
        manager.await_line("EXTEND_TIMEOUT_USEC=")
        require(server.wait() == 0, server.written())


def abstract_address(rig):
    with Manager(f"@apus-{uuid.uuid4()}") as manager, rig.serve(environment=manager.environment):
        manager.await_line("READY=1")


def status_line(rig):
    environment = {"WATCHDOG_USEC": "2000000"}  # a beat each second
    with Manager(rig.path("notify")) as manager, rig.serve(environment=manager.environment | environment) as server:
        manager.await_line("READY=1")
        with Load(server.addresses()[0], brief=0, lasting=1):
            deadline = time.monotonic() + 20
            while not any("1 connection, " in text and " messages/s" in text for _, text in manager.told):
                require(time.monotonic() < deadline and manager.receive(5), f"no such status: {manager.told}")


def reload_is_framed(rig):
    with Manager(rig.path("notify")) as manager, rig.serve(environment=manager.environment) as server:
        manager.await_line("READY=1")
        asked_microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        server.signal(signal.SIGHUP)
        index, _ = manager.await_line("RELOADING=1")
        stamps = [line.partition("=")[2] for line in manager.told[index][1].split("\n") if "MONOTONIC_USEC" in line]
        require(stamps and int(stamps[0]) >= asked_microseconds, f"{manager.told[index]} since {asked_microseconds}")
        manager.await_line("READY=1", since=index + 1)
        require(server.process.poll() is None, server.written())


def watchdog_is_fed(rig):
    environment = {"WATCHDOG_USEC": "400000"}
    with Manager(rig.path("notify")) as manager, rig.serve(environment=manager.environment | environment):
        manager.await_line("READY=1")
        for _ in range(3):
            manager.await_line("WATCHDOG=1", since=len(manager.told))


def foreign_watchdog(rig):
    environment = {"WATCHDOG_USEC": "100000", "WATCHDOG_PID": "1"}
    with Manager(rig.path("notify")) as manager, rig.serve(environment=manager.environment | environment):
        manager.await_line("READY=1")
        manager.receive_for(0.5)
        require(not any("WATCHDOG" in text for _, text in manager.told), f"{manager.told}")


def without_manager(rig):
    with rig.serve() as server:
        server.addresses()
        server.signal(signal.SIGTERM)
        require(server.wait() == 0, server.written())
        require("NOTIFY" not in server.written(), server.written())
