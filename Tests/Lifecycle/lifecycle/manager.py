"""A stand-in for systemd's end of NOTIFY_SOCKET: who said what, in which order."""

import os
import select
import socket
import struct
import time

from npro.rig import require

from .server import PATIENCE_SECONDS

CREDENTIALS = struct.Struct("iII")  # pid, uid, gid


class Manager:
    def __init__(self, name):
        self.name = str(name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.bind("\0" + self.name[1:] if self.name.startswith("@") else self.name)
        self.told = []  # (process, text)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        if not self.name.startswith("@"):
            os.unlink(self.name)

    @property
    def environment(self):
        return {"NOTIFY_SOCKET": self.name}

    def receive(self, seconds):
        """Whether something came."""
        if not select.select([self.socket], [], [], max(0, seconds))[0]:
            return False
        text, ancillary, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(CREDENTIALS.size))
        process = next(CREDENTIALS.unpack(bytes(content))[0] for _, kind, content in ancillary
                       if kind == socket.SCM_CREDENTIALS)
        self.told.append((process, text.decode()))
        return True

    def receive_for(self, seconds):
        deadline = time.monotonic() + seconds
        while self.receive(deadline - time.monotonic()):
            pass

    def await_line(self, line, since=0):
        """The number of the datagram that has this line, and the process it came from."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            for index, (process, text) in enumerate(self.told[since:], since):
                if any(said == line or (line.endswith("=") and said.startswith(line)) for said in text.split("\n")):
                    return index, process
            require(self.receive(deadline - time.monotonic()), f"{line} was never told: {self.told}")
