#!/usr/bin/env python3
"""A small relay of NetBird's and openZro's protocol over WebSocket, with framing code of its own: what clients of ours
are tried against. It relays, nothing more: no limits, no fairness. With some options it misbehaves, as a test wants it.

    Tests/Interop/relay_server.py --auth-secret S [--exposed URL] [--tls-certificate F --tls-key F]

It listens on 127.0.0.1, prints `listening on HOST:PORT`, and ends with the signal that ends it.
"""
import argparse
import asyncio
import base64
import hashlib
import hmac
import json
import os
import signal
import ssl
import struct
import time

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
MAGIC = bytes.fromhex("2112a442")
TRANSPORT, CLOSE, HEALTH, AUTH, RESPONSE, SUBSCRIBE, UNSUBSCRIBE, ONLINE, OFFLINE = range(3, 12)
BINARY, CLOSING, PING, PONG = 2, 8, 9, 10
FIRST_MAX, LATER_MAX, ID = 212, 8820, 36


class Refused(Exception):
    """Ends a connection; the text is the close frame's reason."""


def message(kind, body=b""):
    return bytes([1, kind]) + body


def frame(opcode, payload):
    length = len(payload)
    if length < 126:
        head = bytes([0x80 | opcode, length])
    elif length < 1 << 16:
        head = struct.pack(">BBH", 0x80 | opcode, 126, length)
    else:
        head = struct.pack(">BBQ", 0x80 | opcode, 127, length)
    return head + payload


def unmask(payload, key):
    """One long number instead of a loop over bytes."""
    count = len(payload)
    pad = (key * (count // 4 + 1))[:count]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(pad, "big")).to_bytes(count, "big")


def check_token(token, secret):
    if len(token) < 43 or token[0] != 1:
        raise Refused("no token")
    expiry = token[33:]
    key = hashlib.sha256(secret.encode()).digest()
    if not hmac.compare_digest(hmac.new(key, expiry, "sha256").digest(), token[1:33]):
        raise Refused("signed with another secret")
    if int(expiry) < time.time():
        raise Refused("expired")


class Peer:
    def __init__(self, relay, reader, writer):
        self.relay, self.reader, self.writer = relay, reader, writer
        self.id, self.keys, self.online, self.offline = None, set(), set(), set()

    async def upgrade(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        wanted = {"upgrade": "websocket", "connection": "upgrade", "sec-websocket-version": "13"}
        is_upgrade = all(fields.get(name, "").lower() == value for name, value in wanted.items())
        if head[0] != f"GET {self.relay.options.path} HTTP/1.1" or not is_upgrade or "host" not in fields:
            self.writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
            raise Refused("no upgrade")
        nonce = fields["sec-websocket-key"].encode()
        if len(base64.b64decode(nonce, validate=True)) != 16 or nonce in self.relay.nonces:
            raise Refused("a key is 16 bytes, and new")
        self.relay.nonces.add(nonce)
        accept = base64.b64encode(hashlib.sha1(nonce + GUID).digest()).decode()
        self.writer.write(("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                           f"Sec-WebSocket-Accept: {accept}\r\n\r\n").encode())

    async def receive(self):
        """A frame: masked, whole, in the shortest form of its length, with a key that no frame of late had."""
        first, second = await self.reader.readexactly(2)
        if first & 0x70 or not first & 0x80 or not second & 0x80:
            raise Refused("reserved bits, a fragment, or no mask")
        length = second & 0x7F
        if length == 126:
            length, = struct.unpack(">H", await self.reader.readexactly(2))
            if length < 126:
                raise Refused("not the shortest length")
        elif length == 127:
            raise Refused("too long")
        key = await self.reader.readexactly(4)
        if key in self.keys:
            self.relay.counts["repeated_keys"] += 1
        self.keys.add(key)
        return first & 0x0F, unmask(await self.reader.readexactly(length), key)

    async def authenticate(self):
        opcode, first = await self.receive()
        if opcode != BINARY or len(first) > FIRST_MAX or first[:2] != message(AUTH) or first[2:6] != MAGIC:
            raise Refused("no Auth")
        if self.relay.options.auth_secret:
            check_token(first[6 + ID:], self.relay.options.auth_secret)
        self.id = first[6:6 + ID]
        self.relay.enter(self)
        self.send(frame(BINARY, message(RESPONSE, self.relay.options.exposed.encode())))
        self.relay.tell(self.id, ONLINE)

    def send(self, frame_bytes):
        size = self.relay.options.pieces
        for start in range(0, len(frame_bytes), size or len(frame_bytes)):
            self.writer.write(frame_bytes[start:start + (size or len(frame_bytes))])

    async def serve(self):
        while True:
            opcode, payload = await self.receive()
            if opcode == CLOSING:
                return
            if opcode == PONG:
                self.relay.counts["pongs"] += 1
            elif opcode != BINARY or payload[:1] != b"\x01" or len(payload) > LATER_MAX:
                raise Refused("no message")
            elif not self.take(payload[1], payload[2:]):
                return
            if self.writer.transport.get_write_buffer_size() > 1 << 16:
                await self.writer.drain()
            elif self.relay.is_due():
                await asyncio.sleep(0)

    def take(self, kind, body):
        if kind == TRANSPORT:
            self.relay.forward(self.id, body)
        elif kind == HEALTH:
            self.relay.counts["health"] += 1
        elif kind in (SUBSCRIBE, UNSUBSCRIBE) and len(body) % ID == 0:
            ids = {body[start:start + ID] for start in range(0, len(body), ID)}
            self.subscribe(ids) if kind == SUBSCRIBE else self.unsubscribe(ids)
        return kind != CLOSE

    def subscribe(self, ids):
        self.online |= ids
        self.offline |= ids
        here = sorted(ids & self.relay.peers.keys())
        for start in range(0, len(here), 244):
            self.send(frame(BINARY, message(ONLINE, b"".join(here[start:start + 244]))))

    def unsubscribe(self, ids):
        self.online -= ids
        self.offline -= ids


class Relay:
    def __init__(self, options):
        self.options, self.peers, self.nonces = options, {}, set()
        self.counts = dict.fromkeys(
            ("logins", "refused", "forwarded", "dropped", "unknown", "pongs", "health", "repeated_keys"), 0)

    def enter(self, peer):
        before = self.peers.get(peer.id)
        if before:
            before.writer.close()
        self.peers[peer.id] = peer
        self.counts["logins"] += 1

    def tell(self, who, kind):
        for peer in self.peers.values():
            interest = peer.online if kind == ONLINE else peer.offline
            if who in interest:
                peer.send(frame(BINARY, message(kind, who)))
                if kind == ONLINE:
                    interest.discard(who)

    def forward(self, source, body):
        target = self.peers.get(body[:ID])
        if target is None:
            self.counts["unknown"] += 1
            return
        self.counts["forwarded"] += 1
        datagram = body[ID:]
        every = self.options.drop_every
        if every and self.counts["forwarded"] % every == 0:
            self.counts["dropped"] += 1
            return
        if self.options.alter_every and self.counts["forwarded"] % self.options.alter_every == 0:
            datagram = datagram[:-1] + bytes([datagram[-1] ^ 1])
        target.send(frame(BINARY, message(TRANSPORT, source + datagram)))

    def is_due(self):
        """Whether others should have their turn."""
        return self.counts["forwarded"] % 32 == 0

    async def serve(self, reader, writer):
        peer = Peer(self, reader, writer)
        try:
            await peer.upgrade()
            await peer.authenticate()
            if self.options.health_seconds:
                asyncio.get_running_loop().call_later(self.options.health_seconds, self.ask, peer)
            await peer.serve()
        except Refused as refusal:
            self.counts["refused"] += 1
            writer.write(frame(CLOSING, struct.pack(">H", 1008) + str(refusal).encode()))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.LimitOverrunError):
            pass  # It has gone, whichever way.
        if peer.id and self.peers.get(peer.id) is peer:
            del self.peers[peer.id]
            self.tell(peer.id, OFFLINE)
        writer.close()

    def ask(self, peer):
        if peer.writer.is_closing():
            return
        peer.send(frame(BINARY, message(HEALTH)) + frame(PING, b"are you there"))
        asyncio.get_running_loop().call_later(self.options.health_seconds, self.ask, peer)


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--auth-secret", help="without it everybody is believed")
    parser.add_argument("--exposed", default="rel://relay.example.com:80")
    parser.add_argument("--path", default="/relay")
    parser.add_argument("--tls-certificate")
    parser.add_argument("--tls-key")
    parser.add_argument("--health-seconds", type=float, default=0, help="ask every peer as often, and ping it")
    parser.add_argument("--pieces", type=int, default=0, help="write at most so many bytes at a time")
    parser.add_argument("--drop-every", type=int, default=0, help="lose datagram of that many")
    parser.add_argument("--alter-every", type=int, default=0, help="change the last byte of datagram of that many")
    return parser.parse_args()


async def run(options):
    context = None
    if options.tls_certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(options.tls_certificate, options.tls_key)
    relay = Relay(options)
    server = await asyncio.start_server(
        relay.serve, "127.0.0.1", options.port, ssl=context, limit=1 << 18, backlog=1024)
    host, port = server.sockets[0].getsockname()
    print(f"listening on {host}:{port}", flush=True)
    stopped, ending = asyncio.Event(), (signal.SIGTERM, signal.SIGINT)
    # Whoever started this may have done so from a thread that blocks them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ending)
    for number in ending:
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    await stopped.wait()
    server.close()
    print(json.dumps(relay.counts), flush=True)
    os._exit(0)  # The connections that are open have nothing more to say.


if __name__ == "__main__":
    asyncio.run(run(parse()))
