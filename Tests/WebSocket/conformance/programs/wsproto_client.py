"""Python's `wsproto`, which does no I/O either, as a client of our echo."""

import socket
import sys

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, RejectConnection, Request, TextMessage,
)
from wsproto.extensions import PerMessageDeflate


class Client:
    def __init__(self, address, target):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.connection = WSConnection(ConnectionType.CLIENT)
        self.seen = []
        self.send(Request(host=address, target=target, extensions=[PerMessageDeflate()], subprotocols=["one"]))

    def send(self, *events):
        self.socket.sendall(b"".join(self.connection.send(event) for event in events))

    def next(self):
        while not self.seen:
            self.connection.receive_data(self.socket.recv(1 << 16) or None)
            self.seen = list(self.connection.events())
        return self.seen.pop(0)

    def message(self):
        """A whole message, from as many events as it takes."""
        parts = [self.next()]
        while not parts[-1].message_finished:
            parts.append(self.next())
        return type(parts[0].data)().join(part.data for part in parts)


def talk(address):
    client = Client(address, "/echo")
    accepted = client.next()
    assert isinstance(accepted, AcceptConnection) and not accepted.extensions and accepted.subprotocol is None
    for size in (0, 1, 125, 126, 65535, 65536, 1 << 20):
        for event in (TextMessage(data="é" * (size // 2)), BytesMessage(data=b"\xfe" * size)):
            client.send(event)
            assert client.message() == event.data, f"{size} bytes came back otherwise"
    client.send(TextMessage(data="frag", message_finished=False), Ping(payload=b"there"), TextMessage(data="ments"))
    pong = client.next()
    assert isinstance(pong, Pong) and bytes(pong.payload) == b"there"
    assert client.message() == "fragments"
    client.send(CloseConnection(code=3001, reason="enough"))
    goodbye = client.next()
    assert isinstance(goodbye, CloseConnection) and goodbye.code == 3001
    assert client.socket.recv(1) == b"", "the server does not end the connection"


def be_refused(address):
    refusal = Client(address, "/elsewhere").next()
    assert isinstance(refusal, RejectConnection) and refusal.status_code == 404


talk(sys.argv[1])
be_refused(sys.argv[1])
print("all came back")
