#!/usr/bin/env python3
"""Checks that a framed echo server speaks the packet protocol: the golden vectors, every way of splitting and joining
packets, and a close for whatever is malformed.

    check.py -- COMMAND ...          start a server (it prints `listening on HOST:PORT`), check it, end it
    check.py --address HOST:PORT     check one that runs
"""
import argparse
import json
import pathlib
import random
import re
import select
import signal
import socket
import struct
import subprocess
import sys

VECTORS = pathlib.Path(__file__).resolve().parents[2] / "Tests/ApusWireTests/Vectors/npro.json"
READY = re.compile(r"listening on ([\d.]+):(\d+)")
PING, PONG, ECHO, UNKNOWN = 0, 1, 5, 8
PAYLOAD_BYTES_MAX = 16 * 1024 * 1024


def packet(payload):
    return b"NPRO\x01" + struct.pack(">I", len(payload)) + payload


def message(kind, body=b""):
    return struct.pack("<I", kind) + body


def echo(text):
    return packet(message(ECHO, struct.pack("<Q", len(text)) + text))


class Peer:
    """One connection; every wait ends after ten seconds."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def exchange(self, request, expected):
        """Writes and reads at the same time: a server may stop reading while its replies are not read."""
        received, left = bytearray(), memoryview(request)
        while left or len(received) < len(expected):
            readable, writable, _ = select.select([self.socket], [self.socket] if left else [], [], 10)
            assert readable or writable, f"stalled with {len(received)} of {len(expected)} bytes"
            if readable:
                more = self.socket.recv(1 << 20)
                assert more, f"closed after {len(received)} of {len(expected)} bytes"
                received += more
            if writable:
                left = left[self.socket.send(left[:1 << 18]):]
        assert received == expected, f"expected {bytes(expected[:64]).hex()}…, received {bytes(received[:64]).hex()}…"

    def expect_close(self, expected=b""):
        received = bytearray()
        try:
            while more := self.socket.recv(1 << 16):
                received += more
        except ConnectionResetError:
            pass  # closing with unread input resets; a close all the same
        assert received == expected, f"expected {expected.hex()} before the close, received {received.hex()}"

    def still_works(self):
        self.exchange(packet(message(PING)), packet(message(PONG)))


def check_golden_vectors(address):
    vectors = json.loads(VECTORS.read_text())["messages"]
    assert len(vectors) >= 9
    for vector in vectors:
        request = bytes.fromhex(vector["packet"])
        kind = struct.unpack("<I", request[9:13])[0]
        if vector["name"] == "Disconnect":
            continue  # whether it closes is the server's own rule
        reply = {ECHO: request, PING: packet(message(PONG))}.get(kind, b"")
        with Peer(address) as peer:
            peer.exchange(request, reply)
            peer.still_works()


def check_every_split(address):
    request = echo("é, whole".encode()) + packet(message(PING))
    reply = echo("é, whole".encode()) + packet(message(PONG))
    with Peer(address) as peer:
        for split in range(1, len(request)):
            peer.socket.sendall(request[:split])
            if split % 4 == 0:  # let the first part arrive alone at least sometimes
                select.select([], [], [], 0.002)
            peer.exchange(request[split:], reply)


def check_byte_at_a_time(address):
    request = echo(b"hello")
    with Peer(address) as peer:
        for byte in request[:-1]:
            peer.socket.sendall(bytes([byte]))
            select.select([], [], [], 0.001)
        peer.exchange(request[-1:], request)


def check_pipelining(address):
    texts = [b"%d" % number * (number % 50) for number in range(2000)]
    batch = b"".join(map(echo, texts))
    with Peer(address) as peer:
        peer.exchange(batch, batch)


def check_large_echoes(address):
    for size in (16 * 1024, 1 << 20, PAYLOAD_BYTES_MAX - 12):
        request = echo(random.Random(size).randbytes(size // 2).hex().encode().ljust(size, b"."))
        with Peer(address) as peer:
            peer.exchange(request, request)
            peer.still_works()


def check_valid_text(address):
    texts = ["", "a" * 63 + "é", "é" * 40, "\u0800\ud7ff\ue000\uffff", "\U00010000\U0010ffff", "a" * 130 + "😀" * 70]
    with Peer(address) as peer:
        for text in texts:
            peer.exchange(echo(text.encode()), echo(text.encode()))


def check_invalid_text(address):
    wrong = ["ff", "80", "c080", "c1bf", "c3", "e08080", "e09fbf", "eda080", "e282", "f0808080", "f08fbfbf", "f4908080",
             "f5808080", "f09f98", "c328", "e228a1", "f0288cbc"]
    for text in map(bytes.fromhex, wrong):
        for padded in (text, b"a" * 64 + text, b"a" * 61 + text + b"a" * 80):
            with Peer(address) as peer:
                peer.socket.sendall(echo(padded))
                peer.expect_close()


def check_ignored(address):
    custom = message(7, struct.pack("<Q", 3) + b"RUN" + struct.pack("<Q", 0))
    ignored = [message(PONG), custom, message(UNKNOWN), message(9, b"tail"), message(0xFFFFFFFF),
               message(2, bytes(56)), message(3, bytes(80)), message(4, bytes(32))]
    with Peer(address) as peer:
        for payload in ignored:
            peer.exchange(packet(payload) + packet(message(PING, b"trailing")), packet(message(PONG)))
        trailing = packet(message(ECHO, struct.pack("<Q", 2) + b"hi and more"))
        peer.exchange(trailing, echo(b"hi"))


def check_malformed(address):
    early = [b"X", b"NQ", b"NPRX", b"GET / HTTP/1.1\r\n\r\n", b"NPRO\x02", b"NPRO\x00", b"NPRO\x01\xff\xff\xff\xff",
             b"NPRO\x01" + struct.pack(">I", PAYLOAD_BYTES_MAX + 1)]
    bodies = [b"", b"\0", b"\0\0\0", message(ECHO), message(ECHO, bytes(7)),
              message(ECHO, struct.pack("<Q", 3) + b"hi"), message(ECHO, b"\xff" * 8 + b"hi"),
              message(2, bytes(55)), message(3, bytes(79)), message(4, bytes(31)),
              message(7), message(7, struct.pack("<Q", 1) + b"X"), message(7, b"\xff" * 16),
              message(7, struct.pack("<Q", 1) + b"\xff" + struct.pack("<Q", 0)),
              message(7, struct.pack("<Q", 1) + b"X" + struct.pack("<Q", 2) + b"a")]
    for wrong in early + list(map(packet, bodies)):
        with Peer(address) as peer, Peer(address) as bystander:
            bystander.still_works()
            peer.socket.sendall(wrong)
            peer.expect_close()
            bystander.still_works()


def check_replies_before_close(address):
    with Peer(address) as peer:
        peer.socket.sendall(echo(b"first") + b"garbage")
        peer.expect_close(echo(b"first"))
    with Peer(address) as peer:
        peer.socket.sendall(echo(b"last"))
        peer.socket.shutdown(socket.SHUT_WR)
        peer.expect_close(echo(b"last"))


def check_many_connections(address):
    peers = [Peer(address) for _ in range(500)]
    for number, peer in enumerate(peers):
        peer.socket.sendall(echo(b"%d" % number))
    for number, peer in enumerate(peers):
        peer.exchange(b"", echo(b"%d" % number))
        peer.socket.close()


def check_slow_reader(address):
    """8 MiB of requests before the first reply is read, and then every reply."""
    batch = echo(b"slow" * 4096) * 512
    with Peer(address) as peer:
        peer.socket.setblocking(False)
        sent, idle = 0, 0
        while sent < len(batch) and idle < 20:
            try:
                sent += peer.socket.send(batch[sent:sent + (1 << 18)])
                idle = 0
            except BlockingIOError:
                idle += 1
                select.select([], [], [], 0.01)
        peer.exchange(batch[sent:], batch)


CHECKS = [check_golden_vectors, check_every_split, check_byte_at_a_time, check_pipelining, check_large_echoes,
          check_valid_text, check_invalid_text, check_ignored, check_malformed, check_replies_before_close,
          check_many_connections, check_slow_reader]


def run(checks, target):
    """Each check, whatever came before; also for check-tls.py. The exit code."""
    failed = 0
    for check in checks:
        name = check.__name__.removeprefix("check_").replace("_", " ")
        try:
            check(target)
            print(f"  ok      {name}")
        except (AssertionError, OSError) as error:
            failed += 1
            print(f"  FAILED  {name}: {error!r}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


def run_with_server(command):
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = server.stdout.readline()
        ready = READY.search(line)
        if not ready:
            print(f"no ready line from {command[0]}: {line!r}", file=sys.stderr)
            return 1
        result = run(CHECKS, (ready[1], int(ready[2])))
        if server.poll() is not None:
            print(f"the server ended by itself: {server.returncode}", file=sys.stderr)
            return 1
        server.send_signal(signal.SIGTERM)
        server.wait(10)
        return result
    finally:
        if server.poll() is None:
            server.kill()
            server.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", help="HOST:PORT of a server that runs")
    parser.add_argument("command", nargs="*", help="the server to start, after --")
    arguments = parser.parse_args()
    if bool(arguments.address) == bool(arguments.command):
        parser.error("give either --address or -- COMMAND")
    if arguments.command:
        return run_with_server(arguments.command)
    host, port = arguments.address.rsplit(":", 1)
    return run(CHECKS, (host, int(port)))


if __name__ == "__main__":
    sys.exit(main())
