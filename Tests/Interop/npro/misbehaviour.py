"""The wrong things that either role can be asked to do, and what changes a payload on its way."""

import os

from . import compression, wire

# Of X25519: every private key makes a zero secret of them. The last is the first one with the ignored bit set.
LOW_ORDER_KEYS = tuple(
    bytes.fromhex(key)
    for key in (
        "00" * 32,
        "01" + "00" * 31,
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "00" * 31 + "80",
    )
)

# Done after the handshake, with packets that are sealed or should be.
IN_SESSION = ("replay", "reflect", "repeat_nonce", "old_nonce", "bomb", "bad_compression_flag")
IN_SESSION_CASES = {"client": ("plain-after",), "server": ("plain-after",)}

CLIENT_CASES = ("ping-first", "sealed-first", "confirm-first", "response-first", "unknown-first", "init-twice",
                "ping-for-confirm", "short-init", "short-confirm", "empty-first", "plain-after")
SERVER_CASES = ("ping-first", "confirm-for-response", "init-for-response", "sealed-for-response", "response-twice",
                "short-response", "plain-after")


def false_public_key(options):
    if options.zero_key:
        return LOW_ORDER_KEYS[0]
    return None if options.low_order_key is None else LOW_ORDER_KEYS[options.low_order_key]


def is_in_session(options, role):
    return (
        any(getattr(options, name) for name in IN_SESSION)
        or (alters(options) and options.alter == "sealed")
        or options.out_of_order in IN_SESSION_CASES[role]
    )


def alters(options):
    return options.flip_bit is not None or options.truncate is not None


def altered(payload, name, options):
    """The payload as it goes on the wire, if it is the one (`--alter`) that is to be damaged."""
    if name != options.alter:
        return payload
    if options.flip_bit is not None:
        payload = with_bit_flipped(payload, options.flip_bit)
    if options.truncate is not None:
        payload = payload[: max(len(payload) - options.truncate, 0)]
    return payload


def with_bit_flipped(payload, bit):
    """Bit 0 is the lowest of the first byte; a negative one counts from the end."""
    index, shift = divmod(bit % (len(payload) * 8), 8)
    return payload[:index] + bytes([payload[index] ^ 1 << shift]) + payload[index + 1 :]


def out_of_order_first(case):
    """What a client sends in the place of Init."""
    return {
        "ping-first": wire.encode_simple(wire.PING),
        "sealed-first": os.urandom(64),
        "confirm-first": wire.encode_confirm(wire.Confirm(bytes(32))),
        "response-first": wire.encode_response(wire.Response(os.urandom(32), bytes(16), bytes(32))),
        "unknown-first": wire.encode_simple(wire.UNKNOWN),
        "empty-first": b"",
    }.get(case)


def out_of_order_response(case, init):
    """What a server sends in the place of Response."""
    return {
        "ping-first": wire.encode_simple(wire.PING),
        "confirm-for-response": wire.encode_confirm(wire.Confirm(bytes(32))),
        "init-for-response": init,
        "sealed-for-response": os.urandom(64),
    }.get(case)


def bomb(name):
    """The plaintext of a sealed packet: an Echo, small on the wire and larger than a payload may be."""
    if name is None:
        raise compression.CompressionViolation("a bomb needs compression, and none was negotiated")
    content = wire.encode_echo(bytes(wire.PAYLOAD_BYTES_MAX + 1))
    return bytes([compression.CODES[name]]) + compression.compress(content, name)
