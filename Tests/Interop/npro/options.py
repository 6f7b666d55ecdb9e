"""The command line of both roles, and the settings that it stands for."""

import argparse
import pathlib
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from . import compression
from .extension import Lies
from .misbehaviour import CLIENT_CASES, LOW_ORDER_KEYS, SERVER_CASES
from .sealing import NONCES


@dataclass
class Settings:
    """Who we are, whom we accept, and what we offer."""

    presharedkey: bytes = None
    identity: Ed25519PrivateKey = None
    pins: list = field(default_factory=list)  # Ed25519 public keys
    allows_v1: bool = False
    compression: list = field(default_factory=list)  # names, best first
    is_plain_v1: bool = True  # sends no extension and reads none
    lies: Lies = field(default_factory=Lies)

    @property
    def requires_extension(self):
        return bool(self.presharedkey or self.pins) and not self.allows_v1


def settings_of(options):
    settings = Settings(
        presharedkey=options.psk_file and psk_of(pathlib.Path(options.psk_file).read_bytes()),
        identity=options.identity and identity_of(pathlib.Path(options.identity).read_bytes()),
        pins=[bytes.fromhex(pin) for pin in options.pin],
        allows_v1=options.allow_v1,
        compression=options.compression,
        lies=Lies(options.strip_extension, options.no_mark, options.init_extension, options.extension_header,
                  options.claim_identity),
    )
    wants = settings.presharedkey or settings.identity or settings.pins or settings.compression or options.extended
    settings.is_plain_v1 = not wants
    return settings


def psk_of(content):
    """The key in a file: its bytes, without the newline that editors leave."""
    return content.removesuffix(b"\n")


def identity_of(content):
    """An Ed25519 private key: PEM, 32 bytes, or their hex."""
    if content.startswith(b"-----BEGIN"):
        return load_pem_private_key(content, password=None)
    secret = content if len(content) == 32 else bytes.fromhex(content.decode().strip())
    return Ed25519PrivateKey.from_private_bytes(secret)


# --- the command line -------------------------------------------------------------------------------------------------


def parser(description):
    root = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = root.add_subparsers(dest="verb", required=True)
    client = verbs.add_parser("client", help="connects, shakes hands, sends Echos, verifies what comes back")
    client.add_argument("--address", type=_address, default=("127.0.0.1", 9000), metavar="HOST:PORT")
    client.add_argument("--requests", type=_positive, default=1, metavar="N", help="Echos to send")
    client.add_argument("--size", type=int, default=64, metavar="BYTES", help="of each Echo's text")
    client.add_argument("--depth", type=_positive, default=1, metavar="N", help="Echos under way at a time")
    server = verbs.add_parser("server", help="serves one connection")
    server.add_argument("--port", type=int, default=0, help="0: the kernel chooses")
    for role, cases in ((client, CLIENT_CASES), (server, SERVER_CASES)):
        _add_settings(role)
        _add_misbehaviour(role, cases)
    _add_client_misbehaviour(client)
    server.set_defaults(init_extension=None, confirm_with_first_packet=False, replay_handshake=False)
    verbs.add_parser("selftest", help="checks the golden vectors, and both roles against each other")
    return root


def _add_settings(role):
    role.add_argument("--psk-file", metavar="FILE", help="the pre-shared key")
    role.add_argument("--identity", metavar="FILE", help="our Ed25519 private key: PEM, 32 bytes, or their hex")
    role.add_argument("--pin", action="append", default=[], metavar="HEX", help="an Ed25519 public key to accept")
    role.add_argument("--compression", type=_algorithms, default=[], metavar="LIST", help="lz4,zstd: best first")
    role.add_argument("--extended", action="store_true", help="use the extension with nothing else to say in it")
    role.add_argument("--allow-v1", action="store_true", help="take a peer without extension in spite of key or pin")
    role.add_argument("--nonces", choices=NONCES, default="counter", help="counter: as Apus; random: as the Rust peer")
    role.add_argument("--timeout", type=float, default=10, metavar="SECONDS", help="of each wait")
    role.add_argument("--expect", choices=("established", "refused"), default="established")
    role.add_argument("--split-bytes", type=int, default=0, metavar="N", help="send in pieces of so many bytes")


def _add_misbehaviour(role, cases):
    role.add_argument("--replay", action="store_true", help="send a sealed packet twice")
    role.add_argument("--reflect", action="store_true", help="send the peer's own sealed packet back to it")
    role.add_argument("--repeat-nonce", action="store_true", help="seal something else with the last nonce")
    role.add_argument("--old-nonce", action="store_true", help="use a counter that was skipped; needs counted nonces")
    role.add_argument("--flip-bit", type=int, metavar="N", help="of the payload --alter names; negative: from the end")
    role.add_argument("--truncate", type=int, metavar="N", help="cut so many bytes off that payload's end")
    role.add_argument("--alter", choices=("init", "response", "confirm", "sealed"), default="sealed")
    role.add_argument("--bomb", action="store_true", help="a small packet that holds more than a payload may")
    role.add_argument("--bad-compression-flag", action="store_true")
    role.add_argument("--stale-ms", type=int, default=0, metavar="N", help="our clock is so far behind")
    role.add_argument("--future-ms", type=int, default=0, metavar="N", help="our clock is so far ahead")
    role.add_argument("--zero-key", action="store_true", help="a public key of zeros")
    role.add_argument("--low-order-key", type=int, choices=range(len(LOW_ORDER_KEYS)), metavar="N")
    role.add_argument("--strip-extension", action="store_true", help="as if somebody on the way removed it")
    role.add_argument("--no-mark", action="store_true", help="an extension whose nonce is not marked")
    role.add_argument("--extension-header", type=bytes.fromhex, metavar="HEX",
                      help="version, flags, code and zero of our proof's extension; the proof fits them")
    role.add_argument("--claim-identity", type=bytes.fromhex, metavar="HEX", help="show this public key for our own")
    role.add_argument("--out-of-order", choices=cases, metavar="CASE", help=", ".join(cases))
    role.add_argument("--hold-after", choices=("init", "response"), help="fall silent there until the peer ends it")
    role.add_argument("--prefix-bytes", type=bytes.fromhex, default=b"", metavar="HEX", help="before the first packet")


def _add_client_misbehaviour(client):
    client.add_argument("--init-extension", type=bytes.fromhex, metavar="HEX", help="instead of ours, behind Init")
    client.add_argument("--confirm-with-first-packet", action="store_true", help="in one write")
    client.add_argument("--replay-handshake", action="store_true", help="the same Init on a second connection")


def _address(text):
    host, _, port = text.rpartition(":")
    return host.strip("[]"), int(port)


def _positive(text):
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _algorithms(text):
    names = [name for name in text.split(",") if name]
    for name in names:
        if name not in compression.CODES:
            raise argparse.ArgumentTypeError(f"'{name}' is no algorithm: lz4, zstd")
    return names
