#!/usr/bin/env python3
"""Checks that an echo server speaks packets inside TLS 1.3 with the suite that all peers are compared under, that a
ticket resumes a session, and that nothing older than TLS 1.3 is spoken. What packets mean is for check.py.

    check-tls.py --address HOST:PORT --ca FILE
"""
import argparse
import select
import socket
import ssl
import sys

from check import PING, PONG, echo, message, packet, run

VERSION, SUITE = "TLSv1.3", "TLS_AES_256_GCM_SHA384"
PING_PACKET, PONG_PACKET = packet(message(PING)), packet(message(PONG))
CONNECTIONS_OF_RESUMPTION = 20


class Target:
    def __init__(self, address, authority):
        self.host, port = address.rsplit(":", 1)
        self.port, self.authority = int(port), authority
        self.context = ssl.create_default_context(cafile=authority)

    def connect(self, session=None, context=None):
        """A verified connection; every wait ends after ten seconds."""
        plain = socket.create_connection((self.host, self.port), timeout=10)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return (context or self.context).wrap_socket(plain, server_hostname=self.host, session=session)


def read(connection, count):
    received = bytearray()
    while len(received) < count:
        more = connection.recv(1 << 16)
        assert more, f"closed after {len(received)} of {count} bytes"
        received += more
    return bytes(received)


def exchange(connection, request, reply):
    connection.sendall(request)
    received = read(connection, len(reply))
    assert received == reply, f"expected {reply[:64].hex()}…, received {received[:64].hex()}…"


def check_what_is_negotiated(target):
    with target.connect() as connection:
        exchange(connection, PING_PACKET, PONG_PACKET)
        negotiated = connection.version(), connection.cipher()[0]
        assert negotiated == (VERSION, SUITE), f"negotiated {negotiated}, not {(VERSION, SUITE)}"


def check_echoes(target):
    """Across records: one of a record's size, one of many, and many in one."""
    with target.connect() as connection:
        for size in (0, 64, 16 * 1024, 1 << 20):
            exchange(connection, echo(b"x" * size), echo(b"x" * size))
        batch = b"".join(echo(b"%d" % number) for number in range(1000))
        exchange(connection, batch, batch)


def check_a_packet_in_many_records(target):
    request = echo(b"hello")
    with target.connect() as connection:
        for byte in request[:-1]:
            connection.sendall(bytes([byte]))
            select.select([], [], [], 0.001)
        exchange(connection, request[-1:], request)


def check_malformed(target):
    with target.connect() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        try:
            assert not connection.recv(1), "answered what is no packet"
        except (ssl.SSLEOFError, ConnectionResetError):
            pass  # a close without a word is a close all the same


def check_resumption(target):
    session, resumed = None, 0
    for _ in range(1 + CONNECTIONS_OF_RESUMPTION):
        with target.connect(session) as connection:
            exchange(connection, PING_PACKET, PONG_PACKET)
            resumed += connection.session_reused
            session = connection.session  # tickets come after the handshake, before the reply
            assert session.has_ticket, "no ticket"
    assert resumed == CONNECTIONS_OF_RESUMPTION, f"{resumed} of {CONNECTIONS_OF_RESUMPTION} sessions resumed"


def check_nothing_older(target):
    older = ssl.create_default_context(cafile=target.authority)
    older.maximum_version = ssl.TLSVersion.TLSv1_2
    try:
        with target.connect(context=older) as connection:
            raise AssertionError(f"spoke {connection.version()}")
    except (ssl.SSLError, ConnectionResetError):
        pass


CHECKS = [check_what_is_negotiated, check_echoes, check_a_packet_in_many_records, check_malformed, check_resumption,
          check_nothing_older]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--address", required=True, help="HOST:PORT of a server that runs")
    parser.add_argument("--ca", required=True, help="PEM file of the authority that signed its certificate")
    arguments = parser.parse_args()
    return run(CHECKS, Target(arguments.address, arguments.ca))


if __name__ == "__main__":
    sys.exit(main())
