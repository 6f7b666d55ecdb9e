"""The few NPRO packets that are needed here, written from the protocol's description."""

import struct

HEADER_BYTE_COUNT = 9


def packet(payload):
    return header(len(payload)) + payload


def header(payload_byte_count):
    return b"NPRO\x01" + struct.pack(">I", payload_byte_count)


def echo(text):
    return packet(struct.pack("<IQ", 5, len(text)) + text)


PING, PONG = packet(struct.pack("<I", 0)), packet(struct.pack("<I", 1))
