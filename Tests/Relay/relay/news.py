"""Who is told of whom: once of somebody coming, for ever of somebody leaving, and nothing of a replacement."""

from npro.rig import require

from . import wire
from .peer import Peer
from .server import SECRET, eventually

QUIET_SECONDS = 0.15


def play(report, rig):
    for shards in (1, 2):
        with rig.serve(shards=shards) as relay:
            name = f"news, {shards} shard{'s' * (shards > 1)}"
            for what, run in (
                ("those who are there are told at once, in one list", present),
                ("an arrival is told once, a departure for ever", one_shot),
                ("nothing after unsubscribing", unsubscribed),
                ("a replaced peer has not left; the new one is reached", replaced),
                ("Close is a departure at once", said_goodbye),
                ("a peer may ask for itself", itself),
                ("300 ids at once come in lists of at most 244", long_lists),
            ):
                report.play(f"{name}: {what}", lambda run=run: run(relay))


def login(relay, name):
    return Peer.login(relay.address, name, SECRET)


def present(relay):
    with login(relay, "watcher") as watcher, login(relay, "a"), login(relay, "b"):
        a, b = wire.peer_id("a"), wire.peer_id("b")
        watcher.subscribe(a, wire.peer_id("nobody"), b)
        told = []
        while len(told) < 2:
            told += wire.listed(watcher.expect(wire.ONLINE).body)
        require(sorted(told) == sorted((a, b)), f"told of {told}")
        watcher.expect_silence(QUIET_SECONDS)


def one_shot(relay):
    with login(relay, "watcher") as watcher:
        target = wire.peer_id("target")
        watcher.subscribe(target)
        watcher.expect_silence(QUIET_SECONDS)
        with login(relay, "target"):
            watcher.expect(wire.ONLINE, target)
        watcher.expect(wire.OFFLINE, target)
        with login(relay, "target"):
            watcher.expect_silence(QUIET_SECONDS)
        watcher.expect(wire.OFFLINE, target)
        watcher.subscribe(target)
        with login(relay, "target"):
            watcher.expect(wire.ONLINE, target)


def itself(relay):
    """It is told once that it is there, and nothing of its end to whoever has taken its place."""
    with login(relay, "self") as first:
        first.subscribe(wire.peer_id("self"))
        first.expect(wire.ONLINE, wire.peer_id("self"))
        first.expect_silence(QUIET_SECONDS)
        with login(relay, "self") as second:
            second.expect_silence(QUIET_SECONDS)


def unsubscribed(relay):
    with login(relay, "watcher") as watcher, login(relay, "target") as target:
        watcher.subscribe(target.identity)
        watcher.expect(wire.ONLINE, target.identity)
        watcher.unsubscribe(target.identity)
        # Answered after it was unsubscribed: the relay reads one peer's messages in order.
        watcher.send_to(watcher, b"done")
        watcher.expect_from(watcher, b"done")
        target.stream.close()
        watcher.expect_silence(QUIET_SECONDS)


def replaced(relay):
    with login(relay, "watcher") as watcher, login(relay, "twin") as first:
        watcher.subscribe(first.identity)
        watcher.expect(wire.ONLINE, first.identity)
        replacements = relay.metric("relay_peer_reconnections_total")
        with login(relay, "twin") as second:
            end = first.expect_end()
            # Interest in its coming was not used up by the answer: the Go relays tell it once more too.
            watcher.expect(wire.ONLINE, first.identity)
            watcher.send_to(second, b"for the new one")
            second.expect_from(watcher, b"for the new one")
            watcher.expect_silence(QUIET_SECONDS)
            counted = relay.metric("relay_peer_reconnections_total")
            require(counted == replacements + 1, f"{counted - replacements} replacements are counted; {end}")
        watcher.expect(wire.OFFLINE, first.identity)


def said_goodbye(relay):
    with login(relay, "watcher") as watcher, login(relay, "target") as target:
        watcher.subscribe(target.identity)
        watcher.expect(wire.ONLINE, target.identity)
        target.send(wire.message(wire.CLOSE))
        watcher.expect(wire.OFFLINE, target.identity)
        target.expect_end()


def long_lists(relay):
    crowd = [login(relay, f"crowd {number}") for number in range(300)]
    wanted = {peer.identity for peer in crowd}
    with login(relay, "watcher") as watcher:
        for kind in (wire.ONLINE, wire.OFFLINE):
            identities = [peer.identity for peer in crowd]
            if kind == wire.ONLINE:
                watcher.subscribe(*identities[:wire.PEERS_OF_A_LIST_MAX])
                watcher.subscribe(*identities[wire.PEERS_OF_A_LIST_MAX:])
            else:
                for peer in crowd:
                    peer.stream.close()
            _require_told(watcher, kind, wanted)
    eventually(lambda: relay.metric("apus_relay_peers") == 0, "peers are left")


def _require_told(watcher, kind, wanted):
    told = []
    while len(told) < len(wanted):
        body = watcher.expect(kind).body
        require(body and len(body) <= wire.PEERS_OF_A_LIST_MAX * wire.PEER_ID_BYTES, f"a list of {len(body)} bytes")
        told += wire.listed(body)
    require(set(told) == wanted and len(told) == len(wanted), f"{len(told)} were told, {len(set(told))} different")
