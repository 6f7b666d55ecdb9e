"""Messages between peers: whole, in order, to the one they name; and what a relay makes of others."""

import os

from npro.rig import require

from . import wire
from .peer import Peer
from .server import SECRET

SIZES = (0, 1, 63, 86, 87, 88, 89, 125, 126, 1200, 1350, 4096, wire.PAYLOAD_BYTES_MAX)
IN_ORDER_COUNT = 1000


def play(report, rig):
    for shards in (1, 2):
        with rig.serve(shards=shards) as relay:
            name = f"forwarding, {shards} shard{'s' * (shards > 1)}"
            report.play(f"{name}: every size, both directions, source for target", lambda: sizes(relay))
            report.play(f"{name}: in order, nothing lost, nothing twice", lambda: in_order(relay))
    with rig.serve() as relay:
        report.play("forwarding: to nobody, to oneself", lambda: nobody(relay))
        for what, sent, code in ended():
            report.play(f"forwarding: after the login {what}: closed with {code}",
                        lambda sent=sent, code=code: ends(relay, sent, code))
        for what, sent in ignored():
            report.play(f"forwarding: after the login {what}: ignored", lambda sent=sent: goes_on(relay, sent))
        report.play("forwarding: fragments are put together, pings are answered", lambda: fragments(relay))


def pair(relay):
    return Peer.login(relay.address, "alice", SECRET), Peer.login(relay.address, "bob", SECRET)


def sizes(relay):
    """Eight peers, so that with two shards both of them have some."""
    peers = [Peer.login(relay.address, f"peer {number}", SECRET) for number in range(8)]
    for index, source in enumerate(peers):
        target = peers[(index + 1) % len(peers)]
        for size in SIZES:
            payload = os.urandom(size)
            source.send_to(target, payload)
            target.expect_from(source, payload)
            target.send_to(source, payload)
            source.expect_from(target, payload)
    for peer in peers:
        peer.stream.close()


def in_order(relay):
    alice, bob = pair(relay)
    with alice, bob:
        for start in range(0, IN_ORDER_COUNT, 50):
            for number in range(start, start + 50):
                alice.send_to(bob, number.to_bytes(4, "big") * (number % 100 + 1))
            for number in range(start, start + 50):
                bob.expect_from(alice, number.to_bytes(4, "big") * (number % 100 + 1))


def nobody(relay):
    with Peer.login(relay.address, "alice", SECRET) as alice:
        alice.send(wire.transport(wire.peer_id("nobody"), b"hello?"))
        alice.send_to(alice, b"to myself")
        alice.expect_from(alice, b"to myself")
        alice.expect_silence(0.1)


def ended():
    """What ends a connection, as it does with the Go relays, which send no code."""
    return [
        ("an empty message", b"", 1002),
        ("a message of 1 byte", b"\1", 1002),
        ("version 2", b"\2\3", 1002),
        ("a type that only relays send", wire.message(wire.AUTH_RESPONSE), 1002),
        ("a type that nobody knows", wire.message(12), 1002),
        ("8,821 bytes", bytes(wire.MESSAGE_BYTES_MAX + 1), 1009),
    ]


def ends(relay, sent, code):
    with Peer.login(relay.address, "alice", SECRET) as alice:
        alice.send(sent)
        end = alice.expect_end()
        require(end.code == code, f"{end}, not with {code}")


def ignored():
    return [
        ("another Auth", wire.auth(wire.peer_id("mallory"), wire.token(SECRET))),
        ("37 bytes of a transport message", wire.message(wire.TRANSPORT, bytes(35))),
        ("a list that ends within an id", wire.message(wire.SUBSCRIBE, bytes(37))),
        ("a list of none", wire.message(wire.SUBSCRIBE)),
    ]


def goes_on(relay, sent):
    alice, bob = pair(relay)
    with alice, bob:
        alice.send(sent)
        alice.send_to(bob, b"still here")
        bob.expect_from(alice, b"still here")


def fragments(relay):
    """Our relay takes what its relatives break on; it never sends any, which `receive` requires."""
    alice, bob = pair(relay)
    with alice, bob:
        whole = wire.transport(bob.identity, b"in three pieces")
        for piece, first in ((whole[:1], 0x02), (whole[1:40], 0x00), (whole[40:], 0x80)):
            raw = bytearray(wire.frame(piece))
            raw[0] = first
            alice.stream.sendall(bytes(raw) + wire.frame(b"between", wire.PING) * (first != 0x80))
        bob.expect_from(alice, b"in three pieces")
