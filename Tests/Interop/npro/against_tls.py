"""Apus with `--security tls` against openssl's s_client and s_server, and against Python's ssl, in both roles."""

import select
import socket
import ssl
import subprocess
import time

from . import tls_server
from .rig import Failed, address_text, environment, require, require_failure, require_success
from .tls_client import PING, PONG, SecuredBytes, s_client

VERSIONS = {
    "1.2": ("-tls1_2", "TLSv1.2", ssl.TLSVersion.TLSv1_2),
    "1.3": ("-tls1_3", "TLSv1.3", ssl.TLSVersion.TLSv1_3),
}
RESUMPTIONS, RESUMED_SHARE_MIN = 20, 0.95
PING_ARGUMENTS = ("--count", "2", "--interval", "10ms", "--timeout", "3s")
DEADLINE_SECONDS, DEADLINE_SECONDS_MAX = 1, 6


def play(report, apus, certificates):
    listener = Listener(report, apus, certificates)
    listener.play_plain()
    listener.play_client_certificates()
    listener.play_alpn()
    listener.play_deadline()
    listener.play_minimum()
    listener.play_ciphers()
    listener.play_pins()
    Connector(report, apus, certificates).play()


# --- Apus listens -----------------------------------------------------------------------------------------------------


class Listener:
    def __init__(self, report, apus, certificates):
        self.report, self.apus, self.certificates = report, apus, certificates

    def serve(self, *arguments, name="server"):
        certificate, key = self.certificates.path(name), self.certificates.key(name)
        return self.apus.serve("--security", "tls", "--tls-certificate", certificate, "--tls-key", key, *arguments)

    def group(self, name, play, *arguments):
        def run():
            with self.serve(*arguments) as served:
                self.address = served.address
                play()

        self.report.play_group(name, run)

    def talk(self, *arguments, **more):
        return s_client(self.address, "-CAfile", self.certificates.path("ca"), *arguments, **more)

    def with_certificate(self, name):
        return "-cert", self.certificates.path(name), "-key", self.certificates.key(name)

    def played(self, name, *arguments, answered=True, check=None, command=b""):
        def run():
            conversation = self.talk(*arguments, command=command)
            require(conversation.was_answered == answered, f"answered should be {answered}: {conversation}")
            require(answered or conversation.exit_code != 0, f"it was let in: {conversation}")
            if check:
                check(conversation)

        self.report.play(f"apus serve tls: {name}", run)

    # --- one listener without client certificates ---------------------------------------------------------------------

    def play_plain(self):
        self.group("apus serve tls", self._plain_cases)
        self.group("apus serve tls, 2 shards", self._resumption_cases, "--shards", "2")

    def _plain_cases(self):
        for version, (flag, name, _) in VERSIONS.items():
            self.played(f"TLS {version}", flag, "-verify_hostname", "localhost", check=_spoke(name))
            self.played(f"TLS {version}, verified by address", flag, "-verify_ip", "127.0.0.1")
            self.played(f"TLS {version} without SNI", flag, "-noservername")
            self.played(f"TLS {version} byte-sized records", flag, "-max_send_frag", "512")
            self.played(f"TLS {version}, a client that asks for ALPN", flag, "-alpn", "h2", check=_agreed(None))
        self.played("a key update", "-tls1_3", command=b"K\n")
        self.played("the client asks for renegotiation", "-tls1_2", command=b"R\n", answered=False)
        for old in ("-tls1", "-tls1_1"):
            self.played(f"{old} is refused", old, "-cipher", "DEFAULT@SECLEVEL=0", answered=False)
        for version in VERSIONS:
            for index, place in ((0, "type"), (5, "first byte"), (-1, "last byte")):
                self.report.play(f"apus serve tls: TLS {version}, a record's {place} is changed",
                                 lambda: self._check_changed_record(version, index))
        self.report.play("apus serve tls: a plain packet is refused", self._check_plain_packet)
        self.report.play("apus serve tls: garbage is refused", self._check_garbage)
        self.report.play("apus serve tls: an end without close_notify", self._check_cut)
        self.played("still serves")

    def _check_changed_record(self, version, index):
        """The listener has to close, and may say why in an alert; it must not answer."""
        secured = SecuredBytes(self.address, self.certificates.path("ca"), VERSIONS[version][2])
        try:
            secured.exchange_ping()
            record = bytearray(secured.records(PING))
            record[index] ^= 1
            secured.stream.sendall(record)
            secured.require_end()
        finally:
            secured.close()

    def _check_plain_packet(self):
        require(PONG not in _answer_to(self.address, PING), "a plain Ping was answered")

    def _check_garbage(self):
        _answer_to(self.address, b"\x16\x03\x01\xff\xff" + bytes(64))
        _answer_to(self.address, b"GET / HTTP/1.0\r\n\r\n")

    def _check_cut(self):
        secured = SecuredBytes(self.address, self.certificates.path("ca"))
        secured.exchange_ping()
        secured.close()

    # --- resumption ---------------------------------------------------------------------------------------------------

    def _resumption_cases(self):
        for version, (flag, _, _) in VERSIONS.items():
            self.report.play(f"apus serve tls, 2 shards: TLS {version}, {RESUMPTIONS} resumptions",
                             lambda: self._check_resumption(version, flag))

    def _check_resumption(self, version, flag):
        """Each connection offers the session of the one before; the shard that gets it is the kernel's choice."""
        session = str(self.certificates.folder / f"session-{version}.pem")
        first = self.talk(flag, "-sess_out", session)
        require(first.was_answered and not first.was_resumed, f"the first connection: {first}")
        resumed = 0
        for _ in range(RESUMPTIONS):
            again = self.talk(flag, "-sess_in", session, "-sess_out", session)
            require(again.was_answered, f"a resumed connection: {again}")
            resumed += again.was_resumed
        require(resumed >= RESUMED_SHARE_MIN * RESUMPTIONS, f"{resumed} of {RESUMPTIONS} were resumed")

    # --- client certificates, ALPN, deadlines -------------------------------------------------------------------------

    def play_client_certificates(self):
        authority = ("--tls-ca", self.certificates.path("ca"))
        for mode, flag in (("required", "--verify-client"), ("optional", "--verify-client-optional")):
            group = f"client certificates {mode}"
            self.group(f"apus serve tls: {group}", lambda: self._certificate_cases(mode, group), *authority, flag)

    def _certificate_cases(self, mode, group):
        for version, (flag, name, _) in VERSIONS.items():
            prefix = f"{group}, TLS {version}"
            self.played(f"{prefix}: a right one", flag, *self.with_certificate("client"), check=_spoke(name))
            self.played(f"{prefix}: none", flag, answered=mode == "optional")
            for wrong in ("client-other", "client-expired"):
                self.played(f"{prefix}: {wrong}", flag, *self.with_certificate(wrong), answered=False)
        self.played(f"{group}: still serves", *self.with_certificate("client"))

    def play_alpn(self):
        self.group("apus serve tls: ALPN", self._alpn_cases, "--tls-alpn", "npro/1")

    def _alpn_cases(self):
        for version, (tls_flag, _, _) in VERSIONS.items():
            self.played(f"ALPN, TLS {version}: the same", tls_flag, "-alpn", "h2,npro/1", check=_agreed("npro/1"))
            self.played(f"ALPN, TLS {version}: not asked for", tls_flag, check=_agreed(None))
            self.played(f"ALPN, TLS {version}: another", tls_flag, "-alpn", "h2", answered=False)

    def play_deadline(self):
        seconds = f"{DEADLINE_SECONDS}s"
        self.group("apus serve tls: deadline", self._deadline_cases, "--connection-timeout", seconds,
                   "--handshake-timeout", seconds)

    def _deadline_cases(self):
        half = b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03"
        for name, beginning in (("no byte", b""), ("half a ClientHello", half)):
            self.report.play(f"apus serve tls: {name} and then nothing", lambda: self._check_deadline(beginning))
        self.played("still serves after silence")

    def play_minimum(self):
        self.group("apus serve tls: at least 1.3", self._minimum_cases, "--tls-min-version", "1.3")

    def _minimum_cases(self):
        self.played("at least 1.3: TLS 1.3", "-tls1_3")
        self.played("at least 1.3: TLS 1.2 is refused", "-tls1_2", answered=False)

    def play_ciphers(self):
        self.group("apus serve tls: ciphers", self._cipher_cases, "--tls-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384",
                   "--tls-suites", "TLS_CHACHA20_POLY1305_SHA256")

    def _cipher_cases(self):
        self.played("ciphers: the one of TLS 1.2", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")
        self.played("ciphers: another of TLS 1.2", "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256",
                    answered=False)
        self.played("ciphers: the suite of TLS 1.3", "-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256")
        self.played("ciphers: another of TLS 1.3", "-tls1_3", "-ciphersuites", "TLS_AES_128_GCM_SHA256",
                    answered=False)

    def play_pins(self):
        """A pin of the client's certificate, beside the authority that it comes of."""
        self.group("apus serve tls: pin", self._pin_cases, "--tls-ca", self.certificates.path("ca"), "--verify-client",
                   "--pin", self.certificates.pin("client"))

    def _pin_cases(self):
        for version, (flag, _, _) in VERSIONS.items():
            self.played(f"pin, TLS {version}: the pinned", flag, *self.with_certificate("client"))
            self.played(f"pin, TLS {version}: another", flag, *self.with_certificate("server"), answered=False)

    def _check_deadline(self, beginning):
        _answer_to(self.address, beginning, DEADLINE_SECONDS_MAX)


def _spoke(version):
    def check(conversation):
        require(conversation.version == version, f"{version} was expected: {conversation}")

    return check


def _agreed(protocol):
    def check(conversation):
        require(conversation.alpn == protocol, f"ALPN is {conversation.alpn}, not {protocol}: {conversation}")

    return check


def _answer_to(address, content, seconds=10):
    """What comes back before the peer closes, which it has to do in time."""
    received = b""
    with socket.create_connection(address, timeout=seconds) as stream:
        try:
            stream.sendall(content)
            while more := stream.recv(1 << 16):
                received += more
        except ConnectionResetError:
            pass  # It closed with our bytes unread: a close all the same.
        except TimeoutError as error:
            raise Failed(f"the connection is still open after {seconds} s") from error
    return received


# --- Apus connects ----------------------------------------------------------------------------------------------------


class Connector:
    def __init__(self, report, apus, certificates):
        self.report, self.apus, self.certificates = report, apus, certificates

    def play(self):
        self.report.play_group("apus ping tls", self._play)

    def _play(self):
        self.apus.require_flags("ping", "--security", "--ca", "--server-name")
        self._play_versions()
        self._play_wrong_servers()
        self._play_client_certificates()
        self._play_pins()
        self._play_pins_alone()
        self._play_rest()

    def arguments(self, authority="ca", server_name="localhost"):
        return ("--security", "tls", "--ca", self.certificates.path(authority), "--server-name", server_name)

    def with_certificate(self, name):
        return ("--certificate", self.certificates.path(name), "--key", self.certificates.key(name))

    def ping(self, address, *arguments):
        return self.apus.run("ping", "--address", address_text(address), *PING_ARGUMENTS, *arguments)

    def good(self, name, arguments, check=None, **context):
        def run():
            with tls_server.serving(tls_server.context(self.certificates, **context)) as (address, seen):
                require_success(self.ping(address, *arguments))
            require(seen.handshakes == 1 and seen.requests == 2, f"{vars(seen)}")
            if check:
                check(seen)

        self.report.play(f"apus ping tls: {name}", run)

    def bad(self, name, arguments, has_handshake=False, **context):
        """`has_handshake`: a TLS 1.3 server may be ready before its client has seen what is wrong, or the reverse."""

        def run():
            with tls_server.serving(tls_server.context(self.certificates, **context)) as (address, seen):
                require_failure(self.ping(address, *arguments))
            require(seen.requests == 0, f"a Ping was sent to a server that is not to be trusted: {vars(seen)}")
            require(has_handshake or seen.handshakes == 0, f"the handshake was completed: {vars(seen)}")

        self.report.play(f"apus ping tls: {name}", run)

    def _play_versions(self):
        for version, (_, name, number) in VERSIONS.items():
            self.good(f"TLS {version}", self.arguments(), _spoke_to(name), version=number)
            self.good(f"TLS {version}, by address", self.arguments(server_name="127.0.0.1"), version=number)
        self.good("no ALPN is offered", self.arguments(), _offered_no_alpn, alpn=("h2", "http/1.1"))
        for verb, arguments in (("echo", ("hello",)), ("send", ("--command", "STORE", "--payload", "hello"))):
            self.report.play(f"apus {verb} tls", lambda: self._check_verb(verb, arguments))

    def _check_verb(self, verb, arguments):
        with tls_server.serving(tls_server.context(self.certificates)) as (address, _):
            output = require_success(
                self.apus.run(verb, "--address", address_text(address), *self.arguments(), *arguments)
            )
        require(b"hello" in output, f"{output!r} came back")

    def _play_wrong_servers(self):
        for version, (_, _, number) in VERSIONS.items():
            for name in ("server-other", "server-expired", "server-elsewhere", "server-clients-only"):
                self.bad(f"TLS {version}, {name}", self.arguments(), certificate=name, version=number)
        self.bad("the other authority", self.arguments("other-ca"))
        self.bad("another name is expected", self.arguments(server_name="elsewhere.example"))

    def _play_client_certificates(self):
        for version, (_, _, number) in VERSIONS.items():
            prefix = f"TLS {version}, client certificate"
            context = {"verify": "ca", "version": number}
            self.good(f"{prefix}: a right one", (*self.arguments(), *self.with_certificate("client")),
                      _knew("interop client"), **context)
            self.bad(f"{prefix}: none", self.arguments(), **context)
            for wrong in ("client-other", "client-expired"):
                self.bad(f"{prefix}: {wrong}", (*self.arguments(), *self.with_certificate(wrong)), **context)

    def _play_pins(self):
        right, wrong = ("--pin", self.certificates.pin("server")), ("--pin", self.certificates.pin("client"))
        for version, (_, _, number) in VERSIONS.items():
            self.good(f"TLS {version}, the pinned certificate", (*self.arguments(), *right), version=number)
            self.bad(f"TLS {version}, another than the pinned", (*self.arguments(), *wrong), version=number,
                     has_handshake=True)
            self.bad(f"TLS {version}, pinned, but the server lacks its key", (*self.arguments(), *right),
                     certificate="impostor", version=number)
            self.bad(f"TLS {version}, pinned, but of an unknown authority", (*self.arguments("other-ca"), *right),
                     version=number)

    def _play_pins_alone(self):
        """Without an authority the pin stands for it; the server has to hold the certificate's key all the same."""
        alone = ("--security", "tls", "--server-name", "localhost", "--pin")
        for version, (_, _, number) in VERSIONS.items():
            prefix = f"TLS {version}, a pin and no authority"
            self.good(f"{prefix}: the pinned", (*alone, self.certificates.pin("server")), version=number)
            self.bad(f"{prefix}: another", (*alone, self.certificates.pin("client")), version=number,
                     has_handshake=True)
            self.bad(f"{prefix}: the server lacks its key", (*alone, self.certificates.pin("server")),
                     certificate="impostor", version=number)
        self.bad("no authority and no pin", alone[:-1])

    def _play_rest(self):
        self.report.play("apus ping tls: a server without TLS", self._check_plain_server)
        for version, (flag, _, _) in VERSIONS.items():
            self.report.play(f"apus ping tls: openssl s_server, TLS {version}", lambda: self._check_s_server(flag))

    def _check_plain_server(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            child = subprocess.Popen([self.apus.path, "ping", "--address", address_text(listener.getsockname()),
                                      *PING_ARGUMENTS, *self.arguments()], stderr=subprocess.PIPE)
            listener.settimeout(5)
            stream, _ = listener.accept()
            with stream:
                stream.sendall(PONG)
                said = child.communicate(timeout=20)[1]
        require(child.returncode == 1 and said.strip(), f"exit code {child.returncode}: {said!r}")

    def _check_s_server(self, flag):
        with StandardServer(self.certificates, flag) as served:
            child = subprocess.Popen([self.apus.path, "ping", "--address", address_text(served.address),
                                      *PING_ARGUMENTS, *self.arguments()], stdout=subprocess.PIPE,
                                     stderr=subprocess.PIPE)
            try:
                pings = served.answer_pings(2, seconds=10)
                said = child.communicate(timeout=20)
            finally:
                child.kill()
                child.wait()
        require(pings == 2 and child.returncode == 0, f"{pings} pings, exit code {child.returncode}: {said}")


def _spoke_to(version):
    return lambda seen: require(seen.versions == [version], f"{seen.versions}, not {version}")


def _knew(name):
    return lambda seen: require(seen.client_names == [name], f"{seen.client_names}, not {name}")


def _offered_no_alpn(seen):
    require(seen.offers_alpn == [False], "ALPN was offered, which some servers refuse")


class StandardServer:
    """`openssl s_server`, which echoes nothing: what it receives is on its stdout, what it is to send on its stdin."""

    def __init__(self, certificates, flag):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            self.address = taken.getsockname()
        self.process = subprocess.Popen(
            ["openssl", "s_server", "-accept", address_text(self.address), "-quiet", "-naccept", "1", flag,
             "-cert", certificates.path("server"), "-key", certificates.key("server")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment())

    def __enter__(self):
        deadline = time.monotonic() + 5
        while not _is_listening(self.address[1]):
            require(time.monotonic() < deadline, "openssl s_server did not come up")
            time.sleep(0.02)
        return self

    def answer_pings(self, count, seconds):
        received, answered, deadline = b"", 0, time.monotonic() + seconds
        while answered < count and (left := deadline - time.monotonic()) > 0:
            if not select.select([self.process.stdout], [], [], left)[0]:
                break
            more = self.process.stdout.read1(1 << 16)
            if not more:
                break
            received += more
            while received.startswith(PING):
                received = received[len(PING) :]
                answered += 1
                self.process.stdin.write(PONG)
                self.process.stdin.flush()
        return answered

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def _is_listening(port):
    """From the kernel's table: a trial connection would be the one that `-naccept 1` allows."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        return any(line.split()[1:4:2] == [f"0100007F:{port:04X}", "0A"] for line in table)
