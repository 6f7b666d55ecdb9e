"""One server takes over from another while clients knock: nobody is refused, no reply is lost; and when it fails,
nothing has changed."""

import os
import pathlib
import shutil
import signal
import subprocess
import time

from npro.rig import Skipped, require

from .load import Caller, Load
from .manager import Manager
from .server import PATIENCE_SECONDS, eventually, is_running

UNPRIVILEGED = "65534"


def play(report, rig):
    report.play("upgrade: SIGUSR2 under load over TCP and UNIX, nobody refused, nothing lost", lambda: under_load(rig))
    report.play("upgrade: five in a row under load", lambda: again_and_again(rig))
    report.play("upgrade: the manager hears of the new main process", lambda: main_process(rig))
    report.play("upgrade: apus upgrade asks for it and says how it went", lambda: by_verb(rig))
    for shards in (1, 2, 3):
        report.play(f"upgrade: a process started by hand, from 2 shards to {shards}", lambda: by_hand(rig, shards))
    report.play("upgrade: the program that is on disk now is started", lambda: program_on_disk(rig))
    report.play("roll-back: the new program ends at once", lambda: ends_at_once(rig))
    report.play("roll-back: the new program never gets ready", lambda: never_ready(rig))
    report.play("roll-back: the new configuration cannot be bound", lambda: cannot_bind(rig))
    report.play("roll-back: there is no program any more", lambda: no_program(rig))
    report.play("refused: another user", lambda: another_user(rig))
    report.play("refused: a container's first process", lambda: first_process(rig))
    report.play("refused: while draining", lambda: while_draining(rig))


def upgrade(server, count=1):
    """Send SIGUSR2 to the newest process, and give the one that took over."""
    os.kill((server.successors() or [server.process.pid])[-1], signal.SIGUSR2)
    server.await_text(" has taken over", count)
    return server.successors()[-1]


def require_clean(load, server):
    require(load.is_clean, f"{load}; {server.written()}")
    print(f"         {load}", flush=True)


def under_load(rig):
    unix = f"unix:{rig.path('edge.sock')}"
    with rig.serve(addresses=("127.0.0.1:0", unix)) as server:
        tcp, _ = server.addresses(2)
        with Load(tcp, unix) as load:
            time.sleep(0.5)
            successor = upgrade(server)
            require(server.wait() == 0, server.written())
            replies = load.replies
            eventually(lambda: load.replies > replies + 100, "the successor does not answer")
        require_clean(load, server)
        require(is_running(successor), server.written())
        require(os.path.exists(unix.removeprefix("unix:")), "the UNIX path went with the old process")
        require(server.upgrade_path.exists(), "the upgrade socket went with the old process")
        os.kill(successor, signal.SIGTERM)
        eventually(lambda: not is_running(successor), "the successor does not drain")
        require(not os.path.exists(unix.removeprefix("unix:")), "the UNIX path was left behind")
        require(not server.upgrade_path.exists(), "the upgrade socket was left behind")


def again_and_again(rig):
    with rig.serve() as server:
        with Load(server.addresses()[0]) as load:
            for count in range(1, 6):
                upgrade(server, count)
                eventually(server.upgrade_path.exists, "no upgrade socket")
        require_clean(load, server)


def main_process(rig):
    pid_path = rig.path("pid")
    environment = {"WATCHDOG_USEC": "400000"}
    with Manager(rig.path("notify")) as manager:
        environment |= manager.environment
        with rig.serve("--pid-file", pid_path, environment=environment) as server:
            manager.await_line("READY=1")
            successor = upgrade(server)
            index, teller = manager.await_line(f"MAINPID={successor}")
            require(teller == server.process.pid, f"{teller} told it")
            index, teller = manager.await_line("READY=1", since=index)
            require(teller == successor, f"{teller} said READY=1: {manager.told}")
            _, teller = manager.await_line("WATCHDOG=1", since=index)
            require(teller == successor, f"{teller} feeds the watchdog: {manager.told}")
            require(server.wait() == 0, server.written())
            require(not any("STOPPING" in text for _, text in manager.told), f"{manager.told}")
            eventually(lambda: pid_path.read_text() == f"{successor}\n", "the PID file does not name the successor")


def by_verb(rig):
    with rig.serve() as server:
        with Load(server.addresses()[0]) as load:
            asked = subprocess.run([rig.apus, "upgrade", "--socket", server.upgrade_path], capture_output=True,
                                   text=True, timeout=PATIENCE_SECONDS, check=False)
            require(asked.returncode == 0, asked.stderr)
            require(asked.stdout == f"process {server.successors()[0]} has taken over\n", asked.stdout)
        require_clean(load, server)
    asked = subprocess.run([rig.apus, "upgrade", "--socket", rig.path("nobody")], capture_output=True, text=True,
                           timeout=PATIENCE_SECONDS, check=False)
    require(asked.returncode == 1 and "cannot connect" in asked.stderr, asked.stderr)


def by_hand(rig, shards):
    """The next process has other flags: a listener less, one more, other shards."""
    unix, more = f"unix:{rig.path('edge.sock')}", f"unix:{rig.path('more.sock')}"
    with rig.serve(addresses=("127.0.0.1:0", unix)) as server:
        tcp, _ = server.addresses(2)
        with Load(tcp, unix) as load:
            arguments = ["--upgrade-from", server.upgrade_path, "--shards", str(shards)]
            with rig.serve(*arguments, addresses=(tcp, unix, more)) as successor:
                require(successor.addresses(3) == [tcp, unix, more], f"{successor.addresses(3)}")
                require(server.wait() == 0, server.written())
                with Caller(more) as caller:
                    require(caller.echo(b"a"), "no reply at the new listener")
                replies = load.replies
                eventually(lambda: load.replies > replies + 100, "the successor does not answer")
                load.__exit__()
        require_clean(load, server)
        server.await_text(f"process {successor.process.pid} has taken over")


def installed(rig):
    """A copy that can be replaced."""
    program = rig.path("apus")
    shutil.copy(rig.apus, program)
    return program


def replace(program, script):
    """As a package does it: another file gets the name."""
    other = program.with_suffix(".new")
    other.write_text(f"#!/bin/sh\n{script}\n")
    other.chmod(0o755)
    other.rename(program)


def program_on_disk(rig):
    program, mark = installed(rig), rig.path("mark")
    with rig.serve(apus=program) as server:
        with Load(server.addresses()[0]) as load:
            replace(program, f'echo "$@" > {mark}\nexec {rig.apus} "$@"')
            upgrade(server)
        require_clean(load, server)
        require(mark.read_text().startswith("serve --security none"), mark.read_text())


def require_rolled_back(server, load, reason):
    server.await_text("SIGUSR2: upgrade rolled back: ")
    require(reason in server.written(), server.written())
    replies = load.replies
    eventually(lambda: load.replies > replies + 100, "it serves no more")
    require(server.process.poll() is None, "it ended")
    for successor in server.successors():
        eventually(lambda: not is_running(successor), "the process that failed is still there")


def roll_back(rig, script, reason, *arguments):
    program = installed(rig)
    with rig.serve(*arguments, apus=program) as server:
        with Load(server.addresses()[0]) as load:
            replace(program, script)
            server.signal(signal.SIGUSR2)
            require_rolled_back(server, load, reason)
            # And the next attempt may succeed.
            replace(program, f'exec {rig.apus} "$@"')
            server.signal(signal.SIGUSR2)
            server.await_text(" has taken over")
        require_clean(load, server)


def ends_at_once(rig):
    roll_back(rig, "exit 3", "it exited with code 3")


def never_ready(rig):
    roll_back(rig, "exec sleep 600", "did not answer in time (it was stopped)", "--upgrade-timeout", "5s")


def cannot_bind(rig):
    """It has the sockets and fails all the same: with the reason of the new process in the old one's log."""
    taken = rig.path("file")
    taken.write_text("no socket")
    roll_back(rig, f'exec {rig.apus} "$@" --address unix:{taken}', "a file that is no socket has that path")


def no_program(rig):
    program = installed(rig)
    with rig.serve(apus=program) as server:
        with Load(server.addresses()[0]) as load:
            program.unlink()
            server.signal(signal.SIGUSR2)
            require_rolled_back(server, load, "cannot find this program on disk")
        require_clean(load, server)


def another_user(rig):
    """Also where a careless mode lets it connect: the kernel says who it is."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        raise Skipped("only root can become another user, with setpriv")
    with rig.serve() as server:
        address = server.addresses()[0]
        require(os.stat(server.upgrade_path).st_mode & 0o777 == 0o600, "others may open the upgrade socket")
        program = pathlib.Path(installed(rig))
        for path, mode in ((rig.folder, 0o755), (server.upgrade_path, 0o666)):
            path.chmod(mode)
        become = ["setpriv", "--reuid", UNPRIVILEGED, "--regid", UNPRIVILEGED, "--clear-groups"]
        asked = subprocess.run([*become, program, "upgrade", "--socket", server.upgrade_path], capture_output=True,
                               text=True, timeout=PATIENCE_SECONDS, check=False)
        require(asked.returncode == 1 and f"belongs to user {UNPRIVILEGED}" in asked.stderr, asked.stderr)
        with rig.serve("--upgrade-from", server.upgrade_path, before=become, apus=program) as thief:
            require(thief.wait() == 1, thief.written())
            require("belongs to" in thief.written(), thief.written())
        require(not server.successors(), server.written())
        with Caller(address) as caller:
            require(caller.echo(b"a"), "it serves no more")


def first_process(rig):
    """In a PID name space of its own, as in a container."""
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
    if probe.returncode != 0:
        raise Skipped(f"this user may not make a PID name space: {probe.stderr.strip()}")
    with rig.serve(before=unshare) as server:
        address = server.addresses()[0]
        children = pathlib.Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGUSR2)
        server.await_text("SIGUSR2: upgrade refused: this process is PID 1 of its container")
        asked = subprocess.run([rig.apus, "upgrade", "--socket", server.upgrade_path], capture_output=True, text=True,
                               timeout=PATIENCE_SECONDS, check=False)
        require(asked.returncode == 1 and "PID 1" in asked.stderr, asked.stderr)
        with Caller(address) as caller:
            require(caller.echo(b"a"), "it serves no more")


def while_draining(rig):
    with rig.serve() as server, Caller(server.addresses()[0]) as caller:
        require(caller.echo(b"a"), "no reply")
        server.signal(signal.SIGUSR1)
        server.await_text("SIGUSR1: draining")
        server.signal(signal.SIGUSR2)
        server.await_text("SIGUSR2: upgrade refused: the server is draining")
