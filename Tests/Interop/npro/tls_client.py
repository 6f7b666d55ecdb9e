"""Talks to a TLS listener with `openssl s_client` and with Python's ssl; what either found is a value."""

import socket
import ssl
import subprocess
import time
from typing import NamedTuple

from . import wire
from .rig import Failed, address_text, environment, require

EXCHANGE_SECONDS_MAX = 15
COMMAND_PAUSE_SECONDS = 0.3
PING, PONG, DISCONNECT = (
    wire.packet(wire.encode_simple(kind)) for kind in (wire.PING, wire.PONG, wire.DISCONNECT)
)


class Conversation(NamedTuple):
    exit_code: int
    output: bytes
    complaints: str

    @property
    def was_answered(self):
        return PONG in self.output

    @property
    def was_resumed(self):
        return b"\nReused, TLSv1" in self.output

    @property
    def version(self):
        """From the line `New, TLSv1.3, Cipher is …`, which says the cipher's generation, and from the session's."""
        found = [line.split(b":")[1].strip().decode() for line in self.output.splitlines()
                 if line.strip().startswith(b"Protocol  :")]
        if not found and b", TLSv1.3, Cipher is" in self.output:
            return "TLSv1.3"
        return found[-1] if found else None

    @property
    def alpn(self):
        for line in self.output.splitlines():
            if line.startswith(b"ALPN protocol: "):
                return line.split(b": ")[1].decode()
        return None

    def __str__(self):
        tail = self.complaints.strip().splitlines()[-3:]
        return f"exit code {self.exit_code}, answered {self.was_answered}, {self.version}: {' / '.join(tail)}"


def s_client(address, *arguments, command=b""):
    """One Ping and a Disconnect through `openssl s_client`; before that, a command of its own such as `K`."""
    how = ["openssl", "s_client", "-connect", address_text(address), "-verify_return_error", *arguments]
    how += [] if command else ["-ign_eof", "-nocommands"]
    process = subprocess.Popen(how, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env=environment())
    try:
        if command:
            _command(process, command)
        output, complaints = process.communicate(PING + DISCONNECT, timeout=EXCHANGE_SECONDS_MAX)
    except BrokenPipeError:
        output, complaints = process.communicate(timeout=EXCHANGE_SECONDS_MAX)
    except subprocess.TimeoutExpired as error:
        process.kill()
        process.communicate()
        raise Failed(f"{' '.join(how)} did not end within {EXCHANGE_SECONDS_MAX} s") from error
    return Conversation(process.returncode, output, complaints.decode(errors="replace"))


def _command(process, command):
    """s_client takes a command only if it is alone in what it reads, and it ends when its stdin does: so we wait."""
    for content in (command, PING + DISCONNECT):
        time.sleep(COMMAND_PAUSE_SECONDS)
        process.stdin.write(content)
        process.stdin.flush()
    process.wait(EXCHANGE_SECONDS_MAX)  # what it prints is less than a pipe holds


class SecuredBytes:
    """A TLS client whose records can be touched before they leave."""

    def __init__(self, address, authority, version=None):
        context = ssl.create_default_context(cafile=authority)
        if version:
            context.minimum_version = context.maximum_version = version
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")
        self.stream = socket.create_connection(address, timeout=EXCHANGE_SECONDS_MAX)
        self._pump(self.tls.do_handshake)

    def _pump(self, step):
        """Runs a step of TLS until it needs nothing more from the wire."""
        while True:
            try:
                result = step()
                self.stream.sendall(self.outgoing.read())
                return result
            except ssl.SSLWantReadError:
                self.stream.sendall(self.outgoing.read())
                more = self.stream.recv(1 << 16)
                if not more:
                    raise ConnectionResetError("closed without a word") from None
                self.incoming.write(more)

    def records(self, plaintext):
        """The records that carry it, not sent yet."""
        self.tls.write(plaintext)
        return self.outgoing.read()

    def exchange_ping(self):
        self.stream.sendall(self.records(PING))
        answer = self._pump(lambda: self.tls.read(1 << 16))
        require(answer == PONG, f"{answer!r} came for a Ping")

    def require_end(self):
        """The peer closes without any more of its data; an alert may come before."""
        try:
            answer = self._pump(lambda: self.tls.read(1 << 16))
            require(not answer, f"{answer!r} came from a peer that had to close")
        except (ssl.SSLError, ConnectionError):
            return
        except TimeoutError as error:
            raise Failed("the connection is still open") from error

    def close(self):
        self.stream.close()
