"""What changes while peers are there: secrets, certificates, and the end."""

import shutil
import signal
import ssl
import time

from npro.rig import Failed, require

from . import wire
from .peer import Ended, Peer
from .server import SECRET, URL, eventually, tls_flags

OTHER_SECRET = "the secret that comes after, also of thirty-two bytes and more"
# A drop-in's, without being asked; and what Docker grants a container to stop.
DRAINED_COUNT, WINDOW_SECONDS, STOP_SECONDS = 20, 5.0, 10.0


def play(report, rig):
    report.play("changing: a reload takes the new secret and still the previous one", lambda: secrets(rig))
    report.play("changing: a reload shows the new certificate, peers of before stay", lambda: certificates(rig))
    report.play("changing: a drain tells everybody Close, spread over 5 s", lambda: drain(rig))


def secrets(rig):
    current, previous = rig.file("secret", SECRET + "\n"), rig.file("previous", SECRET + "\n")
    flags = ["--relay", "--listen-address", "127.0.0.1:0", "--exposed-address", URL,
             "--health-listen-address", "127.0.0.1:0", "--metrics-port", "0",
             "--auth-secret-file", current, "--previous-auth-secret-file", previous]
    with rig.serve(flags=flags) as relay, Peer.login(relay.address, "early", SECRET) as early:
        _require_refused(relay, OTHER_SECRET)
        current.write_text(OTHER_SECRET)
        relay.reload()
        for secret in (SECRET, OTHER_SECRET):
            with Peer.login(relay.address, "late", secret) as late:
                early.send_to(late, b"you too")
                late.expect_from(early, b"you too")
        previous.write_text(OTHER_SECRET)
        relay.signal(signal.SIGHUP)
        relay.await_text("SIGHUP: reloaded")
        _require_refused(relay, SECRET)
        early.send_to(early, b"a session outlives its secret")
        early.expect_from(early, b"a session outlives its secret")


def _require_refused(relay, secret):
    try:
        Peer.login(relay.address, "late", secret).stream.close()
    except Ended as end:
        require((end.code, end.reason) == (1008, "bad_signature"), str(end))
    else:
        raise Failed("it was let in")


def certificates(rig):
    (old, old_key), (new, new_key) = rig.certificate(), rig.certificate()
    used, used_key = rig.path("used.pem"), rig.path("used.key")
    shutil.copy(old, used)
    shutil.copy(old_key, used_key)
    with rig.serve(flags=tls_flags(used, used_key)) as relay:
        with Peer.login(relay.address, "early", SECRET, certificate=old) as early:
            # Both, so that whoever looks between the two finds a pair that does not match, and keeps the old one.
            shutil.copy(new_key, used_key)
            shutil.copy(new, used)
            relay.reload()
            eventually(lambda: _shows(relay, new), "the old certificate is still shown")
            require(not _shows(relay, old), "both certificates are believed")
            with Peer.login(relay.address, "late", SECRET, certificate=new) as late:
                late.send_to(early, b"from the new")
                early.expect_from(late, b"from the new")


def _shows(relay, certificate):
    try:
        Peer(relay.address, certificate=certificate).stream.close()
    except ssl.SSLError:
        return False
    return True


def drain(rig):
    with rig.serve("--drain-delay", "300ms") as relay:
        status, text = relay.health()
        require(status == 200 and '"healthy"' in text and '"ws"' in text, f"/health: {status} {text}")
        peers = [Peer.login(relay.address, f"peer {number}", SECRET) for number in range(DRAINED_COUNT)]
        relay.signal(signal.SIGTERM)
        began = time.monotonic()
        relay.await_text("draining")
        status, text = relay.health()
        require(status == 503 and '"unhealthy"' in text, f"/health while it drains: {status} {text}")
        times = sorted(_await_close(peer) for peer in peers)
        require(times[-1] - times[0] > WINDOW_SECONDS / 2, f"told within {times[-1] - times[0]:.2f} s")
        require(relay.wait() == 0, relay.written())
        require(time.monotonic() - began < STOP_SECONDS, f"it took {time.monotonic() - began:.1f} s to end")


def _await_close(peer):
    """When Close came, which is answered by leaving."""
    peer.expect(wire.CLOSE)
    came = time.monotonic()
    peer.stream.close()
    return came
