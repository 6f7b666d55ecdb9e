"""The keys of one run, in files, and the search for them in what the processes wrote."""

import base64
import os

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from .rig import Failed


class Secrets:
    def __init__(self, folder):
        self.folder, self.known = folder, {}
        self.psk_file = self._preshared_key("psk")
        self.other_psk_file = self._preshared_key("other-psk")
        self.apus_identity, self.apus_public = self._identity("apus-identity")
        self.peer_identity, self.peer_public = self._identity("peer-identity")
        self.stranger_identity, self.stranger_public = self._identity("stranger-identity")

    def _preshared_key(self, name):
        return self._write(name, os.urandom(32).hex().encode() + b"\n")

    def _identity(self, name):
        key = Ed25519PrivateKey.generate()
        seed = key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
        path = self._write(name, seed.hex().encode() + b"\n")
        self.known[f"{name}, the bytes"] = seed
        return path, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    def _write(self, name, content):
        self.known[name] = content.strip()
        path = self.folder / name
        path.write_bytes(content)
        path.chmod(0o600)
        return str(path)

    def require_unwritten(self, folder):
        """No log of a process that ran holds a key: as it is, in hex, or in base64."""
        logs = sorted(folder.glob("*.log"))
        for path in logs:
            content = path.read_bytes()
            for name, secret in self.known.items():
                if any(form in content for form in _forms(secret)):
                    raise Failed(f"{name} is in {path.name}")
        if not logs:
            raise Failed("nothing was written, so nothing was searched")


def _forms(secret):
    return secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret)
