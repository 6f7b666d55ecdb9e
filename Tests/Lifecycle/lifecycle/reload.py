"""A configuration file that changes while clients knock: taken over or refused whole, before, during and after an
upgrade."""

import os
import signal
import time

from npro.rig import require

from .load import Caller, Load
from .server import eventually, is_running
from .upgrade import require_clean, upgrade


def play(report, rig):
    report.play("reload: SIGHUP takes the file over, a listener comes and goes", lambda: taken_over(rig))
    report.play("reload: what is wrong is refused whole", lambda: refused(rig))
    report.play("reload: again and again with an upgrade in the middle, nobody refused, nothing lost",
                lambda: with_an_upgrade(rig))


class File:
    """`apus.toml` with these listeners and server options."""

    def __init__(self, rig):
        self.path = rig.path("apus.toml")

    def write(self, listeners, **server):
        lines = ["[server]", *(f'{key} = "{value}"' for key, value in server.items())]
        for name, address in listeners.items():
            lines += ["[[listener]]", f'name = "{name}"', f'address = "{address}"', 'security = "none"']
        other = self.path.with_suffix(".new")
        other.write_text("\n".join(lines) + "\n")
        other.rename(self.path)


def answers(address):
    try:
        with Caller(address) as caller:
            return caller.echo(b"a")
    except OSError:
        return False


def taken_over(rig):
    file, unix = File(rig), f"unix:{rig.path('more.sock')}"
    edge = {"edge": f"unix:{rig.path('edge.sock')}"}
    file.write(edge)
    with rig.serve("--config", file.path, addresses=()) as server:
        server.addresses()
        with Load(edge["edge"], brief=1, lasting=1) as load:
            file.write(edge | {"more": unix}, idle_timeout="20s")
            server.signal(signal.SIGHUP)
            server.await_text("SIGHUP: reloaded: applied: ")
            require("server.idle_timeout" in server.written(), server.written())
            eventually(lambda: answers(unix), "nobody answers at the new listener")
            file.write(edge)
            server.signal(signal.SIGHUP)
            server.await_text("SIGHUP: reloaded: ", 2)
            eventually(lambda: not answers(unix), "the listener that went still answers")
        require_clean(load, server)


def refused(rig):
    file = File(rig)
    edge = {"edge": f"unix:{rig.path('edge.sock')}"}
    file.write(edge)
    with rig.serve("--config", file.path, addresses=()) as server:
        server.addresses()
        file.write(edge | {"more": f"unix:{rig.path('more.sock')}"}, idle_timeout="yesterday")
        server.signal(signal.SIGHUP)
        server.await_text("SIGHUP: refused, the old configuration stays:")
        require("idle_timeout" in server.written(), server.written())
        require(answers(edge["edge"]), "it serves no more")
        require(server.process.poll() is None, server.written())


def with_an_upgrade(rig):
    """The successor reads the file itself, and goes on reloading it."""
    file, tcp = File(rig), "127.0.0.1:0"
    listeners = {"edge": tcp, "local": f"unix:{rig.path('local.sock')}"}
    file.write(listeners)
    with rig.serve("--config", file.path, addresses=()) as server:
        tcp, unix = server.addresses(2)
        with Load(tcp, unix) as load:
            serving = server.process.pid
            for number in range(1, 11):
                file.write(listeners, idle_timeout=f"{20 + number}s")
                os.kill(serving, signal.SIGHUP)
                server.await_text("SIGHUP: reloaded: ", number)
                if number == 5:
                    serving = upgrade(server)
                time.sleep(0.05)
            require(is_running(serving), server.written())
        require_clean(load, server)
