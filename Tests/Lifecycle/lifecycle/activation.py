"""Sockets that systemd made: by name, by address, alone; and what is said of those that do not fit."""

import os
import shutil
import signal
import socket

from npro.rig import Skipped, require

from .load import Caller, connect
from .server import Server, eventually

ACTIVATE = "systemd-socket-activate"


def play(report, rig):
    report.play("activation: systemd-socket-activate, TCP and UNIX by name", lambda: by_name(rig))
    report.play("activation: one socket without a name", lambda: single(rig))
    report.play("activation: the path stays when the server ends", lambda: path_stays(rig))
    report.play("activation: a child does not inherit the variables", lambda: variables_are_gone(rig))
    report.play("activation: what does not fit is said", lambda: misfits(rig))


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def by_name(rig):
    """It starts the server with the first connection, which must be answered too."""
    if not shutil.which(ACTIVATE):
        raise Skipped(f"{ACTIVATE} is missing: it comes with Debian's systemd")
    tcp, path = f"127.0.0.1:{free_port()}", rig.path("edge.sock")
    before = [ACTIVATE, "--listen", tcp, "--listen", path, "--fdname=edge:edge-2"]
    unix = f"unix:{path}"
    with rig.serve(before=before, addresses=(tcp, unix)) as server:
        eventually(path.exists, lambda: f"no socket: {server.written()}")
        with Caller(unix) as first:
            require(first.echo(b"first"), "the connection that started the server was lost")
            require(server.addresses(2) == [tcp, unix], f"{server.addresses(2)}")
            with Caller(tcp) as caller:
                require(caller.echo(b"a"), "no reply over TCP")


class Activated(Server):
    """As systemd starts it: its sockets from number 3 on, and the variables that say so."""

    def __init__(self, rig, sockets, *arguments, names=None, **options):
        self.sockets = sockets
        environment = {"LISTEN_FDS": str(len(sockets))}
        if names is not None:
            environment["LISTEN_FDNAMES"] = ":".join(names)
        # LISTEN_PID is the number of the process that `exec` keeps.
        before = ["/bin/sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"']
        super().__init__(rig, *arguments, before=before, environment=environment, preexec_fn=self._place_sockets,
                         close_fds=False, **options)

    def _place_sockets(self):
        # Out of the way first: a target may be another one's source.
        away = [os.dup2(sock.fileno(), 200 + index) for index, sock in enumerate(self.sockets)]
        for index, number in enumerate(away):
            os.dup2(number, 3 + index)
        os.closerange(3 + len(self.sockets), 1024)


def listening():
    return socket.create_server(("127.0.0.1", 0))


def single(rig):
    with listening() as sock, Activated(rig, [sock], addresses=("127.0.0.1:1",)) as server:
        address = f"127.0.0.1:{sock.getsockname()[1]}"
        require(server.addresses() == [address], f"{server.addresses()} is not {address}")
        server.await_text(f"systemd listens on {address}, and that holds")
        with Caller(address) as caller:
            require(caller.echo(b"a"), "no reply")


def path_stays(rig):
    path = rig.path("edge.sock")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen()
        # As systemd may leave it.
        sock.setblocking(False)
        with Activated(rig, [sock], names=["edge"], addresses=(f"unix:{path}",)) as server:
            with Caller(server.addresses()[0]) as caller:
                require(caller.echo(b"a"), "no reply")
            server.signal(signal.SIGTERM)
            require(server.wait() == 0, server.written())
        require(path.exists(), "the path of systemd's socket was removed")
        # It waits for the next server.
        connect(f"unix:{path}").close()


def variables_are_gone(rig):
    with listening() as sock, Activated(rig, [sock]) as server:
        server.addresses()
        server.signal(signal.SIGUSR2)
        server.await_text("SIGUSR2: process ")
        require(server.wait() == 0, server.written())
        successor = server.successors()[0]
        with open(f"/proc/{successor}/environ", "rb") as environ:
            names = [variable.partition(b"=")[0] for variable in environ.read().split(b"\0")]
        require(not any(name.startswith(b"LISTEN_") for name in names), f"{names}")
        with Caller(f"127.0.0.1:{sock.getsockname()[1]}") as caller:
            require(caller.echo(b"a"), "no reply from the successor")


def misfits(rig):
    with listening() as sock, socket.socket() as unbound, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
        require_refusal(rig, [sock], ["web"], "descriptor 3 (web): no listener has that name")
        require_refusal(rig, [sock, sock], None, "descriptor 3 (127.0.0.1:", addresses=("127.0.0.1:1", "127.0.0.1:2"))
        require_refusal(rig, [unbound], ["edge"], "descriptor 3 (edge) does not listen")
        require_refusal(rig, [datagram], ["edge"], "descriptor 3 (edge) is no stream socket")
        with open(os.devnull, "rb") as file:
            require_refusal(rig, [file], ["edge"], "descriptor 3 (edge) is no socket")


def require_refusal(rig, sockets, names, complaint, **options):
    with Activated(rig, sockets, names=names, **options) as server:
        require(server.wait() == 3, f"exit code {server.process.returncode}: {server.written()}")
        require(f"socket activation: {complaint}" in server.written(), server.written())
