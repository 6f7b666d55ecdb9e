"""One stream socket that carries packets; every wait has an end. Can send in pieces of any size."""

import select
import socket
import time

from . import wire

PIECE_PAUSE_SECONDS = 0.001


class PeerEnded(Exception):
    """The peer closed or reset the connection."""


class TimedOut(Exception):
    """Nothing happened for as long as a wait may last."""


class Connection:
    def __init__(self, stream, seconds, split_bytes=0):
        self.stream, self.seconds, self.split_bytes = stream, seconds, split_bytes
        self.reader = wire.PacketReader()
        self.ended = None
        stream.setblocking(False)
        if stream.family in (socket.AF_INET, socket.AF_INET6):
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, *payloads):
        self.send_raw(b"".join(map(wire.packet, payloads)))

    def send_raw(self, content):
        """Reads while it writes: a peer may stop reading while its replies are not read."""
        piece_bytes = self.split_bytes or max(len(content), 1)
        for start in range(0, len(content), piece_bytes):
            self._send_piece(memoryview(content)[start : start + piece_bytes])
            if self.split_bytes:
                time.sleep(PIECE_PAUSE_SECONDS)

    def _send_piece(self, piece):
        while piece:
            is_readable, is_writable = self._wait(for_writing=True)
            if is_readable:
                self._read()
            if self.ended:
                raise PeerEnded(self.ended)
            if is_writable:
                piece = piece[self._write(piece) :]

    def receive(self):
        """The next payload."""
        while (payload := self.reader.next()) is None:
            if self.ended:
                raise PeerEnded(self.ended)
            self._wait()
            self._read()
        return payload

    def receive_until_end(self):
        """Whatever still comes is dropped; PeerEnded or TimedOut ends it."""
        deadline = time.monotonic() + self.seconds
        while not self.ended:
            self._wait(deadline=deadline)
            self._read()
        raise PeerEnded(self.ended)

    def _wait(self, for_writing=False, deadline=None):
        seconds = self.seconds if deadline is None else max(deadline - time.monotonic(), 0)
        readers = [] if self.ended else [self.stream]
        readable, writable, _ = select.select(readers, [self.stream] if for_writing else [], [], seconds)
        if not readable and not writable:
            raise TimedOut(f"nothing happened for {self.seconds} s")
        return bool(readable), bool(writable)

    def _read(self):
        try:
            more = self.stream.recv(1 << 18)
        except (BlockingIOError, InterruptedError):
            return
        except (ConnectionResetError, BrokenPipeError):
            self.ended = "reset"
            return
        if not more:
            self.ended = "closed"
        self.reader.feed(more)

    def _write(self, piece):
        try:
            return self.stream.send(piece)
        except (BlockingIOError, InterruptedError):
            return 0
        except (ConnectionResetError, BrokenPipeError) as error:
            self.ended = "reset"
            raise PeerEnded(self.ended) from error

    def close(self):
        self.stream.close()
