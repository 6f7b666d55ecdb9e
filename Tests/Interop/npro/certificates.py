"""Certificates for the TLS rigs, made for one run: two authorities, and leaves that are right or wrong in one way."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.utcnow().replace(microsecond=0)
DAY = datetime.timedelta(days=1)
NAMES = ("localhost", "127.0.0.1")


class Certificates:
    """`path(name)` is the certificate's PEM, `key(name)` its private key's; `ca` and `other-ca` are the authorities."""

    def __init__(self, folder):
        self.folder = folder
        self.certificates, self.keys = {}, {}
        self._authority("ca")
        self._authority("other-ca")
        self._leaf("server")
        self._leaf("client")
        self._leaf("server-expired", until=NOW - DAY)
        self._leaf("client-expired", until=NOW - DAY)
        self._leaf("server-other", issuer="other-ca")
        self._leaf("client-other", issuer="other-ca")
        self._leaf("server-elsewhere", names=("elsewhere.example", "192.0.2.1"))
        self._leaf("server-clients-only", usages=(ExtendedKeyUsageOID.CLIENT_AUTH,))
        self._impostor()

    def path(self, name):
        return str(self.folder / f"{name}.pem")

    def key(self, name):
        return str(self.folder / f"{name}.key")

    def pin(self, name):
        """SHA-256 of the certificate's DER, in hex."""
        return self.certificates[name].fingerprint(hashes.SHA256()).hex()

    def _authority(self, name):
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(name, name, key, NOW + 120 * DAY)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_key_usage(is_authority=True), critical=True)
        self._write(name, builder.sign(key, hashes.SHA256()), key)

    def _leaf(self, name, issuer="ca", until=NOW + 90 * DAY, names=NAMES, usages=None):
        key = ec.generate_private_key(ec.SECP256R1())
        usages = usages or (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)
        issuer_key = self.keys[issuer]
        builder = _builder(name, issuer, key, until)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(_key_usage(is_authority=False), critical=True)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(each) for each in names]), False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
        self._write(name, builder.sign(issuer_key, hashes.SHA256()), key)

    def _write(self, name, certificate, key):
        self.certificates[name], self.keys[name] = certificate, key
        (self.folder / f"{name}.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (self.folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def _impostor(self):
        """The server's own certificate with a key that only claims to belong to it.

        An EC key's file holds the private number and the public point, and OpenSSL believes the point: so a server
        starts with another number beside the right point, and everything it signs is wrong.
        """
        right, wrong = self.keys["server"], ec.generate_private_key(ec.SECP256R1())
        encoded = right.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        forged = encoded.replace(_scalar(right), _scalar(wrong))
        (self.folder / "impostor.pem").write_bytes(self.certificates["server"].public_bytes(Encoding.PEM))
        (self.folder / "impostor.key").write_text(_pem("EC PRIVATE KEY", forged))


def _builder(name, issuer, key, until):
    subject_key = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(NOW, until) - DAY)
        .not_valid_after(until)
        .add_extension(subject_key, critical=False)
    )


def _name(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"interop {name}")])


def _general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_usage(is_authority):
    return x509.KeyUsage(
        digital_signature=not is_authority, key_cert_sign=is_authority, crl_sign=is_authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )


def _scalar(key):
    return key.private_numbers().private_value.to_bytes(32, "big")


def _pem(label, der):
    import base64

    lines = base64.encodebytes(der).decode().replace("\n", "")
    wrapped = "\n".join(lines[start : start + 64] for start in range(0, len(lines), 64))
    return f"-----BEGIN {label}-----\n{wrapped}\n-----END {label}-----\n"
