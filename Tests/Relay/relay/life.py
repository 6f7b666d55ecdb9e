"""Health checks, and who is taken for dead."""

import time

from npro.rig import require

from . import wire
from .peer import Ended, Peer
from .server import SECRET, eventually

INTERVAL_SECONDS, PATIENCE_OF_THE_RELAY_SECONDS = 0.2, 1.0


def play(report, rig):
    settings = {"health_interval": "200ms", "liveness_timeout": "1s"}
    with rig.serve(settings=settings) as relay:
        report.play("life: a health check every interval, from the login on", lambda: intervals(relay))
        report.play("life: the silent die, and are told as gone", lambda: silent(relay))
        report.play("life: whatever comes counts as life", lambda: sending(relay))
    with rig.serve(environment={"APUS_SERVER_HANDSHAKE_TIMEOUT": "400ms"}) as relay:
        report.play("life: who never says who they are is closed", lambda: never_logged_in(relay))


def intervals(relay):
    with Peer.login(relay.address, "alice", SECRET) as alice:
        started = time.monotonic()
        alice.expect_silence(5 * INTERVAL_SECONDS + INTERVAL_SECONDS / 2)
        seconds = time.monotonic() - started
        require(alice.health_check_count in (4, 5, 6), f"{alice.health_check_count} came within {seconds:.2f} s")
        # Answered each time: alive long after the deadline of the silent.
        alice.expect_silence(2 * PATIENCE_OF_THE_RELAY_SECONDS)


def silent(relay):
    with Peer.login(relay.address, "watcher", SECRET) as watcher, Peer.login(relay.address, "mute", SECRET) as mute:
        watcher.subscribe(mute.identity)
        watcher.expect(wire.ONLINE, mute.identity)
        started = time.monotonic()
        # Only the watcher answers meanwhile.
        watcher.expect(wire.OFFLINE, mute.identity)
        seconds = time.monotonic() - started
        require(0.8 <= seconds <= 2.5, f"dead after {seconds:.2f} s")
        mute.silent = True
        mute.expect_end()


def sending(relay):
    """It answers no health check and is not closed, since it sends."""
    with Peer.login(relay.address, "talker", SECRET) as talker:
        talker.silent, deadline = True, time.monotonic() + 2.5 * PATIENCE_OF_THE_RELAY_SECONDS
        while time.monotonic() < deadline:
            talker.send_to(talker, b"alive")
            talker.expect_from(talker, b"alive")
            time.sleep(0.3)


def never_logged_in(relay):
    with Peer(relay.address) as peer:
        started = time.monotonic()
        try:
            peer.receive(5)
        except Ended as end:
            seconds = time.monotonic() - started
            require(0.2 <= seconds <= 2, f"{end} after {seconds:.2f} s")
    eventually(lambda: relay.metric('apus_connections_open{listener="relay"}') == 0, "a connection is left")
