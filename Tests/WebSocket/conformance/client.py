"""One connection to a server under test: it sends what a case says and writes down what comes back."""

import base64
import hashlib
import os
import select
import socket
import struct

from . import frames

# Without a byte of progress.
PATIENCE_SECONDS = 60


class Observation:
    """What a server did: whole messages, pongs, and how it ended. Where pongs stand among messages is its affair."""

    def __init__(self):
        self.messages, self.pongs, self.end = [], [], "silence"

    def parts(self):
        return {"messages": self.messages, "pongs": self.pongs, "end": self.end}


class RawClient:
    def __init__(self, host, port, path):
        self.socket = socket.create_connection((host, port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received, self.offset, self.opened = bytearray(), 0, None
        self.seen, self.has_ended = Observation(), False
        self._upgrade(f"{host}:{port}", path)
        self.socket.setblocking(False)

    def _upgrade(self, host, path):
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.received:
            piece = self.socket.recv(4096)
            if not piece:
                raise frames.Malformed(f"no upgrade: {bytes(self.received)!r}")
            self.received += piece
        self.offset = self.received.index(b"\r\n\r\n") + 4
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        head = bytes(self.received[:self.offset])
        if not head.startswith(b"HTTP/1.1 101 ") or base64.b64encode(accept) not in head:
            raise frames.Malformed(f"no upgrade: {head!r}")

    def send(self, piece):
        """Reads while it writes: a server that echoes must not have to wait for its reader."""
        rest = memoryview(piece)
        while rest and not self.has_ended:
            readable, writable, _ = select.select([self.socket], [self.socket], [], PATIENCE_SECONDS)
            if not readable and not writable:
                return
            if writable:
                try:
                    rest = rest[self.socket.send(rest):]
                except OSError:
                    rest = rest[:0]  # It has closed; what it said before is still to be read.
            if readable:
                self._read()

    def read_until(self, is_enough, patience_seconds=PATIENCE_SECONDS):
        while not self.has_ended and not is_enough(self.seen):
            if not select.select([self.socket], [], [], patience_seconds)[0]:
                return
            self._read()

    def _read(self):
        try:
            piece = self.socket.recv(1 << 18)
        except OSError:
            piece = b""
        self.received += piece
        while found := frames.parse(self.received, self.offset):
            opcode, is_final, payload, self.offset = found
            self._note(opcode, is_final, payload)
        del self.received[:self.offset]
        self.offset = 0
        if not piece:
            self.has_ended = True
            self.seen.end = "no close frame" if self.seen.end == "silence" else self.seen.end

    def _note(self, opcode, is_final, payload):
        if opcode == frames.CLOSE:
            self.seen.end = struct.unpack(">H", payload[:2])[0] if payload else "close without code"
        elif opcode == frames.PONG:
            self.seen.pongs.append(payload)
        elif opcode != frames.PING:
            self._join(opcode, is_final, payload)

    def _join(self, opcode, is_final, payload):
        if (self.opened is None) == (opcode == frames.CONTINUATION):
            raise frames.Malformed("fragments out of order")
        kind, message = (opcode, payload) if self.opened is None else (self.opened[0], self.opened[1] + payload)
        self.opened = None if is_final else (kind, message)
        if is_final:
            self.seen.messages.append((kind, message))

    def close(self):
        self.socket.close()


def play(case, address, path, silence_seconds=PATIENCE_SECONDS):
    """Send the case's pieces, wait for what is expected, say goodbye unless the case did.

    `silence_seconds`: how long a server is waited for that may never close, since it does not see what the case shows.
    """
    client = RawClient(*address, path)
    try:
        for piece in case.pieces():
            client.send(piece)
        if case.ends_itself:
            client.read_until(lambda seen: False, silence_seconds)
        else:
            client.read_until(lambda seen: len(seen.messages) >= len(case.messages)
                              and len(seen.pongs) >= len(case.pongs))
            client.send(frames.close(1000))
            client.read_until(lambda seen: False)
        return client.seen
    finally:
        client.close()
