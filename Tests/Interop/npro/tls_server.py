"""A TLS server on Python's ssl that answers Ping, Echo and Custom in clear packets inside TLS; lives in a thread."""

import contextlib
import socket
import ssl
import struct
import threading

from . import wire
from .server import reply_to

WAIT_SECONDS = 5
CLIENT_HELLO_BYTES_MAX = 16 * 1024
ALPN_EXTENSION = 16


class Seen:
    """What the server has learnt of the connections it had."""

    def __init__(self):
        self.handshakes, self.resumed, self.requests = 0, 0, 0
        self.failures, self.versions, self.client_names = [], [], []
        self.offers_alpn = []


def context(certificates, certificate="server", verify=None, version=None, alpn=()):
    """`verify` is the authority that client certificates are required of."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(certificates.path(certificate), certificates.key(certificate))
    if verify:
        made.verify_mode = ssl.CERT_REQUIRED
        made.load_verify_locations(certificates.path(verify))
    if version:
        made.minimum_version = made.maximum_version = version
    if alpn:
        made.set_alpn_protocols(list(alpn))
    return made


@contextlib.contextmanager
def serving(tls_context):
    """Gives (address, Seen) of a server that lives as long as the `with`."""
    seen, stop = Seen(), threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=_accept, args=(listener, tls_context, seen, stop), daemon=True)
        thread.start()
        try:
            yield listener.getsockname(), seen
        finally:
            stop.set()
            thread.join(timeout=2 * WAIT_SECONDS)


def _accept(listener, tls_context, seen, stop):
    while not stop.is_set():
        try:
            stream, _ = listener.accept()
        except TimeoutError:
            continue
        stream.settimeout(WAIT_SECONDS)
        try:
            _converse(stream, tls_context, seen)
        except (ssl.SSLError, OSError, wire.WireViolation) as error:
            seen.failures.append(str(error))
        finally:
            stream.close()


def _converse(stream, tls_context, seen):
    seen.offers_alpn.append(ALPN_EXTENSION in extensions_of(_peeked_client_hello(stream)))
    with tls_context.wrap_socket(stream, server_side=True) as secured:
        seen.handshakes += 1
        seen.resumed += secured.session_reused
        seen.versions.append(secured.version())
        certificate = secured.getpeercert()
        seen.client_names.append(certificate and dict(pair[0] for pair in certificate["subject"])["commonName"])
        _serve(secured, seen)


def _serve(secured, seen):
    reader = wire.PacketReader()
    while more := secured.recv(1 << 16):
        reader.feed(more)
        while (payload := reader.next()) is not None:
            message = wire.decode(payload)
            if message.kind == wire.DISCONNECT:
                return
            reply = reply_to(message)
            if reply is not None:
                seen.requests += 1
                secured.sendall(wire.packet(reply))


# --- the ClientHello, as it lies in the socket ------------------------------------------------------------------------


def _peeked_client_hello(stream):
    """The first record without taking it: the handshake message in it, or nothing if it is none."""
    header = stream.recv(5, socket.MSG_PEEK | socket.MSG_WAITALL)
    if len(header) < 5 or header[0] != 22:
        return b""
    (length,) = struct.unpack(">H", header[3:5])
    return stream.recv(5 + min(length, CLIENT_HELLO_BYTES_MAX), socket.MSG_PEEK | socket.MSG_WAITALL)[5:]


def extensions_of(hello):
    """The types of a ClientHello's extensions, RFC 8446 section 4.1.2; empty for anything else."""
    if len(hello) < 39 or hello[0] != 1:
        return []
    offset = 4 + 2 + 32
    for width in (1, 2, 1):  # session id, cipher suites, compression methods
        offset += width + int.from_bytes(hello[offset : offset + width], "big")
    end = offset + 2 + int.from_bytes(hello[offset : offset + 2], "big")
    offset += 2
    types = []
    while offset + 4 <= min(end, len(hello)):
        kind, length = struct.unpack_from(">HH", hello, offset)
        types.append(kind)
        offset += 4 + length
    return types
