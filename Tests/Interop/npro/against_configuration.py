"""What the command line must refuse, with exit code 3 and one line that names the flag."""

import pathlib

from .rig import require

SHORT_KEY = b"fifteen bytes.."


def play(report, apus, secrets, certificates):
    for name, verb, flag, arguments in _mistakes(apus.folder, secrets, certificates):
        report.play(f"apus {verb} refuses {name}", lambda: _check(apus, verb, flag, arguments))


def _mistakes(folder, secrets, certificates):
    """(name, verb, what the line has to name, arguments)"""
    short, open_file = _file(folder, "short-psk", SHORT_KEY, 0o600), _file(folder, "open-psk", b"k" * 32, 0o644)
    no_identity = _file(folder, "no-identity", b"not an identity", 0o600)
    handshake, tls, none = (("--security", kind) for kind in ("handshake", "tls", "none"))
    right = ("--tls-certificate", certificates.path("server"), "--tls-key", certificates.key("server"))
    other_key = ("--tls-certificate", certificates.path("server"), "--tls-key", certificates.key("client"))
    for verb in ("serve", "ping"):
        yield "a key of 15 bytes", verb, "psk", (*handshake, "--psk-file", short)
        yield "a key that others may read", verb, "--psk-file", (*handshake, "--psk-file", open_file)
        yield "a key that is not there", verb, "--psk-file", (*handshake, "--psk-file", str(folder / "nowhere"))
        yield "an identity that is none", verb, "--identity-file", (*handshake, "--identity-file", no_identity)
        yield "a pin that is none", verb, "--pin", (*handshake, "--pin", "abc")
        yield "a key without handshake", verb, "--psk-file", (*none, "--psk-file", secrets.psk_file)
        yield "compression without security", verb, "--compression", (*none, "--compression", "lz4")
    yield "compression inside TLS", "serve", "--compression", (*tls, *right, "--compression", "lz4")
    yield "compression inside TLS", "ping", "--compression", (*tls, "--compression", "zstd")
    yield "TLS without certificate", "serve", "--tls-certificate", tls
    yield "a certificate without TLS", "serve", "--tls-certificate", (*handshake, *right)
    yield "a key of another certificate", "serve", "", (*tls, *other_key)
    yield "an authority that is none", "ping", "", (*tls, "--ca", no_identity)


def _file(folder, name, content, mode):
    path = pathlib.Path(folder, name)
    path.write_bytes(content)
    path.chmod(mode)
    return str(path)


def _check(apus, verb, flag, arguments):
    ended = apus.run(verb, "--address", "127.0.0.1:0" if verb == "serve" else "127.0.0.1:1", *arguments)
    said = ended.stderr.decode(errors="replace")
    require(ended.returncode == 3, f"exit code {ended.returncode}, not 3: {said}")
    require(flag in said, f"the line does not name {flag}: {said}")
    require(SHORT_KEY.decode() not in said, "the line holds the key")
