"""Behind HAProxy and nginx, as Debian has them: WebSockets pass, and a peer's address is the client's own. And what is
believed of whoever says to be a proxy.
"""

import shutil
import socket
import struct
import subprocess

from npro.rig import Skipped, require

from . import wire
from .peer import Ended, Peer
from .server import SECRET, TLS_URL, eventually, plain_flags

# Not the proxies' own.
CLIENT = "127.0.0.77"
V2_SIGNATURE = bytes.fromhex("0d0a0d0a000d0a515549540a")

HAPROXY = """
global
    maxconn 1000
defaults
    mode {mode}
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend clients
    bind 127.0.0.1:{port}{tls}
    default_backend relay
backend relay
    {option}
    server apus 127.0.0.1:{relay}{sending}
"""

NGINX = """
daemon off;
user root;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        location /relay {{
            proxy_pass http://127.0.0.1:{relay};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection "upgrade";
            proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Real-Port $remote_port;
            proxy_read_timeout 1h;
        }}
    }}
}}
"""

LISTENER = """
[relay]
exposed_address = "rel://relay.test:443"
auth_secret = "{secret}"

[[listener]]
name = "relay"
protocol = "relay"
address = "127.0.0.1:0"
proxy_protocol = true
"""


def play(report, rig):
    configuration = rig.file("proxied.toml", LISTENER.format(secret=SECRET))
    with rig.serve(flags=["--config", configuration]) as relay:
        report.play("proxies: PROXY protocol 1 and 2, and none", lambda: by_hand(relay))
        report.play("proxies: HAProxy, TCP, send-proxy-v2", lambda: behind_haproxy(
            rig, relay, with_port=True, mode="tcp", option="", sending=" send-proxy-v2"))
    with rig.serve(settings={"trusted_proxies": "127.0.0.1"}) as relay:
        report.play("proxies: HAProxy, HTTP, TLS in front, X-Forwarded-For", lambda: behind_haproxy(
            rig, relay, with_port=False, mode="http", option="option forwardfor", sending="", is_tls=True))
        report.play("proxies: HAProxy passes X-Real-IP on, which makes nobody another", lambda: behind_haproxy(
            rig, relay, with_port=False, mode="http", option="option forwardfor", sending="", lie="X-Real-IP"))
        report.play("proxies: who is not trusted is not believed", lambda: not_believed(relay))
    flags = ["--relay", *plain_flags(TLS_URL), "--trusted-proxies", "127.0.0.1"]
    with rig.serve(flags=flags) as relay:
        report.play("proxies: nginx, TLS in front, X-Real-IP and X-Real-Port", lambda: behind_nginx(rig, relay))


# --- by hand ----------------------------------------------------------------------------------------------------------


def by_hand(relay):
    told = socket.inet_aton("192.0.2.7") + socket.inet_aton("192.0.2.1") + struct.pack("!HH", 4711, 443)
    for preface in (b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n", V2_SIGNATURE + b"\x21\x11\x00\x0c" + told):
        with Peer.login(relay.address, "alice", SECRET, preface=preface):
            _require_listed(relay, "alice", "192.0.2.7:4711")
    try:
        with Peer(relay.address) as peer:
            require(peer.status != 101, "it was let in without saying who it is")
    except (Ended, ConnectionResetError):
        pass


def not_believed(relay):
    """127.0.0.77 is no proxy of ours."""
    fields = [("X-Real-IP", "192.0.2.7"), ("X-Real-Port", "4711"), ("X-Forwarded-For", "192.0.2.7")]
    with Peer.login(relay.address, "liar", SECRET, fields=fields, source=CLIENT) as peer:
        _require_listed(relay, "liar", "%s:%d" % peer.local)


# --- real ones --------------------------------------------------------------------------------------------------------


def behind_haproxy(rig, relay, *, with_port, mode, option, sending, is_tls=False, lie=None):
    port, certificate, tls = _free_port(), None, ""
    if is_tls:
        certificate, key = rig.certificate()
        both = rig.file("haproxy.pem", certificate.read_text() + key.read_text())
        tls = f" ssl crt {both}"
    configuration = rig.file("haproxy.cfg", HAPROXY.format(
        mode=mode, port=port, tls=tls, option=option, relay=relay.address[1], sending=sending))
    with Proxy(rig, port, "haproxy", "-db", "-f", str(configuration)):
        _exchange(relay, ("127.0.0.1", port), certificate, with_port)
        if lie:
            _lie(("127.0.0.1", port), certificate, lie)


def behind_nginx(rig, relay):
    port, folder = _free_port(), rig.path("nginx")
    folder.mkdir()
    certificate, key = rig.certificate()
    configuration = rig.file("nginx.conf", NGINX.format(
        folder=folder, port=port, certificate=certificate, key=key, relay=relay.address[1]))
    with Proxy(rig, port, "nginx", "-p", str(folder), "-c", str(configuration)):
        _exchange(relay, ("127.0.0.1", port), certificate, with_port=True)
        _lie(("127.0.0.1", port), certificate, "X-Forwarded-For")


class Proxy:
    """A proxy in the foreground, ended by its number."""

    def __init__(self, rig, port, *command):
        path = shutil.which(command[0], path="/usr/sbin:/usr/bin")
        if not path:
            raise Skipped(f"{command[0]} is not installed: tools/prepare {command[0]}")
        self._log, self._port = rig.path("proxy.log"), port
        with open(self._log, "wb") as log:
            self._process = subprocess.Popen([path, *command[1:]], stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def __enter__(self):
        try:
            eventually(self._answers, lambda: f"the proxy did not come up: {self._log.read_text()}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def _answers(self):
        require(self._process.poll() is None, f"the proxy ended: {self._log.read_text()}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _exchange(relay, address, certificate, with_port):
    options = {"certificate": certificate, "host": "localhost", "source": CLIENT}
    with Peer.login(address, "alice", SECRET, **options) as alice, Peer.login(address, "bob", SECRET, **options) as bob:
        for source, target in ((alice, bob), (bob, alice)):
            for size in (0, 1, 125, 1200, wire.PAYLOAD_BYTES_MAX):
                source.send_to(target, b"p" * size)
                target.expect_from(source, b"p" * size)
        for name, peer in (("alice", alice), ("bob", bob)):
            _require_listed(relay, name, "%s:%d" % peer.local if with_port else peer.local[0])


def _lie(address, certificate, field):
    """The field that the proxy passes on as it was sent: the loopback, which is no proxy's, would have no limits."""
    fields = [(field, "127.0.0.9")]
    with Peer(address, certificate=certificate, host="localhost", source=CLIENT, fields=fields) as peer:
        require(peer.status == 400, f"with {field} of its own it was answered {peer.status}")


def _require_listed(relay, name, address):
    """`address` with its port, or without where the proxy does not say it."""
    found = [entry["address"] for entry in relay.peers() if entry["id"] == wire.printed(wire.peer_id(name))]
    require(len(found) == 1, f"{name} is listed {len(found)} times")
    require(found[0] == address or found[0].rpartition(":")[0] == address, f"{name} is at {found[0]}, not {address}")


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
