"""What operators see and type: the relatives' flags and variables, metrics under both names, who is there, tokens.
"""

import base64
import json

from npro.rig import Skipped, require

from . import wire
from .peer import Peer
from .server import SECRET, URL, eventually

HEALTH, METRICS = "--health-listen-address=127.0.0.1:0", "--metrics-port=0"


def play(report, rig):
    report.play("operating: the relatives' short flags", lambda: serves(
        rig, ["-l", "127.0.0.1:0", "-e", URL, "-s", SECRET, "-H", "127.0.0.1:0", METRICS]))
    report.play("operating: flags with =", lambda: serves(
        rig, ["--listen-address=127.0.0.1:0", f"--exposed-address={URL}", f"--auth-secret={SECRET}", HEALTH, METRICS,
              "--enable-stun=false", "--log-level=info", "--trusted-proxies=127.0.0.1"]))
    report.play("operating: flags with nothing behind the =", lambda: serves(
        rig, ["-l", "127.0.0.1:0", "-e", URL, "-s", SECRET, HEALTH, METRICS, "--trusted-proxies=", "--log-file=",
              "--letsencrypt-domains=", "--tls-cert-file="]))
    for prefix in ("NB", "OZ"):
        report.play(f"operating: variables of {prefix}_", lambda prefix=prefix: by_environment(rig, prefix))
    for flag, fix in (("--letsencrypt-domains=relay.test", "--tls-cert-file and --tls-key-file"),
                      ("--enable-stun=true", "such as coturn"), ("--cluster-headless=relays.test", "Relay.Addresses")):
        report.play(f"operating: {flag.split('=')[0]} is refused, and what to do instead is said",
                    lambda flag=flag, fix=fix: refused(rig, flag, fix))
    with rig.serve() as relay:
        report.play("operating: metrics of both naming schemes move, and agree", lambda: metrics(relay))
        report.play("operating: apus peers lists who is there", lambda: peers(relay))
        report.play("operating: apus token mint makes a token that logs in", lambda: minted(rig, relay))


def serves(rig, flags, **options):
    with rig.serve(flags=["--relay", *flags], **options) as relay:
        with Peer.login(relay.address, "alice", SECRET, url=URL) as alice, Peer.login(relay.address, "b", SECRET) as b:
            alice.send_to(b, b"hello")
            b.expect_from(alice, b"hello")


def by_environment(rig, prefix):
    values = {"LISTEN_ADDRESS": "127.0.0.1:0", "EXPOSED_ADDRESS": URL, "AUTH_SECRET": SECRET, "METRICS_PORT": "0",
              "HEALTH_LISTEN_ADDRESS": "127.0.0.1:0", "LOG_LEVEL": "info", "LOG_FILE": "console"}
    serves(rig, [], environment={f"{prefix}_{name}": value for name, value in values.items()})


def refused(rig, flag, fix):
    """`fix`: what the complaint says to do, in words that the flag does not have."""
    said = rig.run("serve", "--relay", "-l", "127.0.0.1:0", "-e", URL, "-s", SECRET, HEALTH, METRICS, flag)
    require(said.returncode == 3, f"exit code {said.returncode}: {said.stderr}")
    require(flag.split("=")[0] in said.stderr and fix in said.stderr, said.stderr)


def metrics(relay):
    before = relay.metrics()
    with Peer.login(relay.address, "alice", SECRET) as alice, Peer.login(relay.address, "bob", SECRET) as bob:
        for _ in range(10):
            alice.send_to(bob, bytes(100))
            bob.expect_from(alice, bytes(100))
        relay.await_metric("apus_relay_peers", 2)
        relay.await_metric("relay_peers_active", 1)
        during = relay.metrics()
        moved = {series: during[series] - before[series] for series in during if series in before}
        expected = {
            'relay_peers{transport="ws"}': 2, "relay_peers_active": 1, "relay_peers_idle": 1,
            "relay_transfer_sent_bytes_total": 1380, "relay_transfer_received_bytes_total": 1380,
            "relay_peer_authentication_time_milliseconds_count": 2, "relay_peer_store_time_milliseconds_count": 2,
            "apus_relay_peers": 2, "apus_relay_logins_total": 2, "apus_relay_messages_received_total": 10,
            "apus_relay_messages_delivered_total": 10, "apus_relay_notices_lost_total": 0,
            'relay_peer_authentication_time_milliseconds_bucket{le="+Inf"}': 2,
        }
        wrong = {series: moved.get(series) for series, by in expected.items() if moved.get(series) != by}
        require(not wrong, f"{wrong} where {expected} was due")
    relay.await_metric("apus_relay_peers", 0)


def peers(relay):
    require(relay.peers() == [], f"{relay.peers()} where nobody is")
    with Peer.login(relay.address, "alice", SECRET) as alice:
        found = eventually(relay.peers, "nobody is listed")
        require(len(found) == 1, f"{found} for one peer")
        entry, address = found[0], "%s:%d" % alice.local
        require(entry["id"] == wire.printed(alice.identity), f"{entry['id']} is not alice's")
        require(entry["address"] == address, f"{entry['address']} is not {address}")
    said = relay.rig.run("peers", "--control", relay.control)
    require(said.returncode == 0, said.stderr)


def minted(rig, relay):
    if "USAGE: apus token mint" not in rig.run("token", "mint", "--help").stdout:
        raise Skipped("this apus has no verb token")
    path = rig.file("mint", SECRET)
    said = rig.run("token", "mint", "--secret-file", path, "--ttl", "1h", "--json")
    require(said.returncode == 0, said.stderr)
    made = json.loads(said.stdout)
    proof = base64.b64decode(made["token"])
    require(proof == wire.token(SECRET, expiry=made["payload"]), f"{made} is not what the secret signs")
    with Peer.login(relay.address, "minted", SECRET, proof=proof):
        pass
    said = rig.run("token", "check", "--secret-file", path, made["token"])
    require(said.returncode == 0, f"apus token check: {said.stdout} {said.stderr}")
