"""The upgrade, the first message, and who is refused with which reason."""

import threading

from npro.rig import require

from . import wire
from .peer import Peer
from .server import SECRET, TLS_URL, URL, tls_flags

CROWD_COUNT, ARRIVALS = 50, 100


def play(report, rig):
    with rig.serve() as relay:
        report.play("login: AuthResponse holds the exposed URL, nothing is negotiated", lambda: plain(relay))
        report.play("login: other paths and other requests find no relay", lambda: other_paths(relay))
        report.play("login: any Origin", lambda: any_origin(relay))
        for name, first, end in refusals():
            report.play(f"login: refused with {end[0]} {end[1]}: {name}",
                        lambda first=first, end=end: refused(relay, first, end))
        report.play("login: refusals are counted by reason", lambda: counted(relay))
        report.play(f"login: AuthResponse comes first while {CROWD_COUNT} peers send to the newcomer",
                    lambda: response_first(relay))
    certificate, key = rig.certificate()
    with rig.serve(flags=tls_flags(certificate, key)) as relay:
        report.play("login: over TLS, and both directions", lambda: over_tls(relay, certificate))
        report.play(
            "login: TLS agrees on http/1.1 with who offers it", lambda: application_protocol(relay, certificate))
    with rig.serve(settings={"max_token_lifetime": "1h"}) as relay:
        report.play("login: a token that lives too long", lambda: refused(
            relay, wire.auth(wire.peer_id("eve"), wire.token(SECRET, 7200)), (1008, "lifetime_too_long")))
    with rig.serve("--insecure-allow-any-token=true") as relay:
        report.play("login: any token where that was asked for, which is said loudly", lambda: any_token(relay))


def plain(relay):
    with Peer.login(relay.address, "alice", SECRET, url=URL) as peer:
        for field in ("sec-websocket-protocol", "sec-websocket-extensions"):
            require(field not in peer.fields, f"{field} makes the Go client give up")
        offer = ("Sec-WebSocket-Extensions", "permessage-deflate")
        with Peer(relay.address, fields=[offer]) as other:
            require("sec-websocket-extensions" not in other.fields, "it took compression up")


def other_paths(relay):
    for path in ("/", "/relay/", "/Relay", "/relay2"):
        with Peer(relay.address, path=path) as peer:
            require(peer.status == 404, f"{path} is answered with {peer.status}")
    with Peer(relay.address, path="/relay?a=b") as peer:
        require(peer.status == 101, f"a query is answered with {peer.status}")
    with Peer(relay.address, fields=[("Sec-WebSocket-Version", "12")]) as peer:
        require(peer.status in (400, 426), f"two versions are answered with {peer.status}")


def any_origin(relay):
    with Peer.login(relay.address, "page", SECRET, fields=[("Origin", "https://app.example.com")]):
        pass


def refusals():
    """Name, first message, the close frame's code and reason."""
    identity = wire.peer_id("eve")
    good = wire.token(SECRET)

    def auth(proof):
        return wire.auth(identity, proof)

    return [
        ("another's secret", auth(wire.token("another secret")), (1008, "bad_signature")),
        ("a bit of the signature", auth(good[:5] + bytes((good[5] ^ 1,)) + good[6:]), (1008, "bad_signature")),
        ("expired a second ago", auth(wire.token(SECRET, -1)), (1008, "expired")),
        ("algorithm 0", auth(wire.token(SECRET, algorithm=0)), (1008, "unsupported_algo")),
        ("algorithm 2", auth(wire.token(SECRET, algorithm=2)), (1008, "unsupported_algo")),
        ("no token", auth(b""), (1008, "empty")),
        ("1 byte of a token", auth(good[:1]), (1008, "too_short")),
        ("32 bytes of a token", auth(good[:32]), (1008, "too_short")),
        ("33 bytes of a token", auth(good[:33]), (1008, "too_short")),
        ("an expiry of 9 digits", auth(wire.token(SECRET, expiry=410244480)), (1008, "too_short")),
        ("an expiry that is no number", auth(wire.token(SECRET, expiry="4102444800x")), (1008, "malformed_expiry")),
        ("a token of 171 bytes", auth(good + b"0" * (171 - len(good))), (1009, "the message is too large")),
        ("another magic", wire.message(wire.AUTH, b"abcd" + identity + good), (1008, "bad_magic")),
        ("half an id", wire.message(wire.AUTH, wire.MAGIC + identity[:18]), (1008, "truncated")),
        ("version 2", b"\2" + auth(good)[1:], (1008, "bad_version")),
        ("Hello of 0.29.0", wire.message(1, wire.MAGIC + identity + b"gob" * 40), (1008, "bad_type")),
        ("a transport message first", wire.transport(identity, b"early"), (1008, "bad_type")),
        ("an empty message", b"", (1008, "empty")),
    ]


def refused(relay, first, expected):
    with Peer(relay.address) as peer:
        peer.send(first)
        end = peer.expect_end()
        require((end.code, end.reason) == expected, f"{end}, not with {expected}")


def counted(relay):
    """What the cases above were."""
    at_least = {"bad_signature": 2, "expired": 1, "unsupported_algo": 2, "empty": 1, "too_short": 4,
                "malformed_expiry": 1, "auth_bad_magic": 1, "auth_truncated": 1, "auth_bad_version": 1,
                "auth_bad_type": 2, "auth_empty": 1, "auth_oversize": 1}
    found = relay.metrics()
    counts = {reason: found[f'apus_relay_logins_refused_total{{reason="{reason}"}}'] for reason in at_least}
    wrong = {reason: count for reason, count in counts.items() if count < at_least[reason]}
    require(not wrong, f"{wrong} where {at_least} were refused")


def response_first(relay):
    """`login` requires it. Somebody must have been heard after it, or the case would say nothing."""
    ended = threading.Event()
    crowd = [Peer.login(relay.address, f"crowd {number}", SECRET) for number in range(CROWD_COUNT)]
    newcomer = wire.peer_id("newcomer")
    for peer in crowd:
        peer.subscribe(newcomer)
    senders = [threading.Thread(target=_send_until, args=(ended, crowd[start::5], newcomer)) for start in range(5)]
    for sender in senders:
        sender.start()
    try:
        for _ in range(ARRIVALS):
            with Peer.login(relay.address, "newcomer", SECRET, url=URL) as peer:
                peer.expect(wire.TRANSPORT)
    finally:
        ended.set()
        for sender in senders:
            sender.join()
        for peer in crowd:
            peer.stream.close()


def _send_until(ended, peers, identity):
    while not ended.wait(0.001):
        for peer in peers:
            peer.send(wire.transport(identity, b"to whoever comes"))


def over_tls(relay, certificate):
    with Peer.login(relay.address, "alice", SECRET, certificate=certificate, url=TLS_URL) as alice:
        with Peer.login(relay.address, "bob", SECRET, certificate=certificate) as bob:
            for source, target in ((alice, bob), (bob, alice)):
                for count in (0, 1200, wire.PAYLOAD_BYTES_MAX):
                    source.send_to(target, b"t" * count)
                    target.expect_from(source, b"t" * count)


def application_protocol(relay, certificate):
    for offered, agreed in ((("h2", "http/1.1"), "http/1.1"), (("http/1.1",), "http/1.1"), ((), None)):
        with Peer.login(relay.address, "alice", SECRET, certificate=certificate, protocols=offered) as alice:
            found = alice.stream.selected_alpn_protocol()
            require(found == agreed, f"offered {offered}, agreed on {found}")


def any_token(relay):
    with Peer.login(relay.address, "anybody", SECRET, proof=b""):
        require("insecure" in relay.written(), relay.written())
