"""Many peers at once on one epoll: they connect without waiting for one another, and one callback hears what they are
sent. As fast as Python allows, so that the time something takes is as little as possible ours.
"""

import errno
import heapq
import os
import resource
import select
import socket
import time

from npro.rig import require

from . import wire

READ_BYTES_MAX = 1 << 16
# After it ports would be scarce, and those of connections that ended are not free again for a minute.
PEERS_OF_AN_ADDRESS_MAX = 5000


class Member:
    """One peer: `stage` goes connecting → upgrading → authenticating → peer → gone."""

    __slots__ = ("name", "identity", "stream", "stage", "reader", "head", "accept", "unsent", "proof", "memory")

    def __init__(self, name, proof, stream):
        self.name, self.identity, self.proof, self.stream = name, wire.peer_id(name), proof, stream
        self.stage, self.reader, self.head, self.unsent = "connecting", wire.FrameReader(), b"", b""
        # The caller's, for what it was told.
        self.memory = None


class Crowd:
    """`on_login(member)` and `on_message(member, kind, body)` are told; so is `on_end(member)`, if the relay ends it.
    With `backoff()`, who was refused before it could log in comes again after so many seconds, as real clients do.
    """

    def __init__(self, address, on_login=None, on_message=None, on_end=None, backoff=None):
        self._address, self._poll = address, select.epoll()
        self._on_login, self._on_message, self._on_end = (callback or _nothing
                                                          for callback in (on_login, on_message, on_end))
        self.members, self._by_descriptor, self.login_count = [], {}, 0
        self._backoff, self._returning, self.refusal_count = backoff, [], 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.leave()
        self._poll.close()

    def add(self, name, proof):
        """Begins to connect."""
        stream = socket.socket()
        stream.setblocking(False)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stream.bind((f"127.0.1.{1 + len(self.members) // PEERS_OF_AN_ADDRESS_MAX}", 0))
        outcome = stream.connect_ex(self._address)
        require(outcome in (0, errno.EINPROGRESS), f"connecting: {os.strerror(outcome)}")
        member = Member(name, proof, stream)
        self.members.append(member)
        self._by_descriptor[stream.fileno()] = member
        self._poll.register(stream.fileno(), select.EPOLLOUT)
        return member

    def leave(self):
        """All at once, without a word."""
        for member in self.members:
            if member.stage != "gone":
                member.stage = "gone"
                member.stream.close()
        self._by_descriptor.clear()

    @property
    def present(self):
        return [member for member in self.members if member.stage == "peer"]

    def run(self, seconds, until=None):
        """Whether `until` came true in time; without it, for so long."""
        deadline = time.monotonic() + seconds
        while not (until and until()):
            now = time.monotonic()
            while self._returning and self._returning[0][0] <= now:
                self.add(*heapq.heappop(self._returning)[1:])
            left = deadline - now
            if left <= 0:
                return until is None
            for descriptor, event in self._poll.poll(min(left, 0.05), 1024):
                member = self._by_descriptor.get(descriptor)
                if member:
                    self._turn(member, event)
        return True

    # --- one peer -----------------------------------------------------------------------------------------------------

    def send(self, member, message):
        member.unsent += wire.frame(message)
        self._flush(member)

    def _turn(self, member, event):
        if member.stage == "connecting":
            return self._begin(member)
        if event & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
            self._receive(member)
        if event & select.EPOLLOUT and member.stage != "gone":
            self._flush(member)

    def _begin(self, member):
        outcome = member.stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if outcome == errno.ECONNRESET:
            return self._end(member)
        require(outcome == 0, f"{member.name} cannot connect: {os.strerror(outcome)}")
        member.stage = "upgrading"
        request, member.accept = wire.upgrade_request("relay.test")
        member.unsent = request
        self._flush(member)

    def _flush(self, member):
        try:
            count = member.stream.send(member.unsent)
        except BlockingIOError:
            count = 0
        except (BrokenPipeError, ConnectionResetError):
            return self._end(member)
        member.unsent = member.unsent[count:]
        wanted = select.EPOLLIN | (select.EPOLLOUT if member.unsent else 0)
        self._poll.modify(member.stream.fileno(), wanted)

    def _receive(self, member):
        try:
            received = member.stream.recv(READ_BYTES_MAX)
        except BlockingIOError:
            return
        except ConnectionResetError:
            received = b""
        if not received:
            return self._end(member)
        if member.stage == "upgrading":
            received = self._upgraded(member, member.head + received)
        member.reader.feed(received)
        while member.stage != "gone" and (frame := member.reader.next()):
            self._hear(member, frame)

    def _upgraded(self, member, head):
        head, end, rest = head.partition(b"\r\n\r\n")
        if not end:
            member.head = head
            return b""
        require(head.startswith(b"HTTP/1.1 101") and member.accept.encode() in head, f"{member.name}: {head}")
        member.stage = "authenticating"
        self.send(member, wire.auth(member.identity, member.proof))
        return rest

    def _hear(self, member, frame):
        if frame.operation == wire.GOODBYE:
            return self._end(member)
        kind, body = frame.payload[1], frame.payload[2:]
        if member.stage == "authenticating":
            require(kind == wire.AUTH_RESPONSE, f"{member.name} was first sent type {kind}")
            member.stage = "peer"
            self.login_count += 1
            self._on_login(member)
        elif kind == wire.HEALTH:
            self.send(member, frame.payload)
        else:
            self._on_message(member, kind, body)

    def _end(self, member):
        if member.stage == "gone":
            return
        was_peer, member.stage = member.stage == "peer", "gone"
        self._by_descriptor.pop(member.stream.fileno(), None)
        member.stream.close()
        if was_peer or not self._backoff:
            return self._on_end(member)
        self.refusal_count += 1
        heapq.heappush(self._returning, (time.monotonic() + self._backoff(), member.name, member.proof))


def _nothing(*_):
    pass


def raise_descriptor_limit(needed):
    """As far as this process may."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    require(most >= needed, f"{needed} descriptors are needed, {most} are allowed: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
