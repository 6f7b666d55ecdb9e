"""A certificate authority and one node, P-256, made with `openssl` for the length of a run."""
import pathlib
from dataclasses import dataclass

from .host import output_of

KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
DAYS = "2"


@dataclass(frozen=True)
class Certificates:
    authority: str
    node: str
    key: str
    node_and_key: str  # in one file, as HAProxy wants them

    @staticmethod
    def make(folder):
        paths = {name: str(pathlib.Path(folder, f"{name}.pem"))
                 for name in ("authority", "authority-key", "node", "key", "node-and-key")}
        make_authority(paths["authority"], paths["authority-key"])
        make_node(paths["node"], paths["key"], paths["authority"], paths["authority-key"])
        both = pathlib.Path(paths["node-and-key"])
        both.touch(mode=0o600)
        both.write_text(pathlib.Path(paths["node"]).read_text() + pathlib.Path(paths["key"]).read_text())
        return Certificates(paths["authority"], paths["node"], paths["key"], paths["node-and-key"])


def make_authority(certificate, key):
    output_of(
        "openssl", "req", "-x509", *KEY, "-keyout", key, "-out", certificate, "-days", DAYS,
        "-subj", "/CN=Benchmark authority", "-addext", "keyUsage=critical,keyCertSign")


def make_node(certificate, key, authority, authority_key):
    output_of(
        "openssl", "req", "-x509", *KEY, "-keyout", key, "-out", certificate, "-days", DAYS,
        "-CA", authority, "-CAkey", authority_key, "-subj", "/CN=node",
        "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-addext", "keyUsage=critical,digitalSignature", "-addext", "extendedKeyUsage=serverAuth")
