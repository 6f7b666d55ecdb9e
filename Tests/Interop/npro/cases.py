"""Good and bad ways to talk, each as arguments of npro_peer.py and what has to come of it.

The self-test plays them between our own two roles, `run` between ours and Apus.
"""

from typing import NamedTuple

from .misbehaviour import CLIENT_CASES, LOW_ORDER_KEYS, SERVER_CASES

HTTP_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".hex()
TLS_CLIENT_HELLO = "16030100c8010000c40303"
# Where the fields of the messages begin, in bits of the payload.
PUBLIC_KEY, INIT_NONCE, RESPONSE_NONCE, RESPONSE_VERIFICATION, CONFIRM_VERIFICATION = 32, 352, 288, 416, 32
SEALED_NONCE_COUNTER, SEALED_CIPHERTEXT, SEALED_TAG_END = 128, 192, -1


# What sessions a case is about: all, those of version 1, those with the extension, those with an extension that says
# nothing more, those that compress.
ANY, V1, EXTENDED, BARE, COMPRESSED = "any", "v1", "extended", "bare", "compressed"


class Case(NamedTuple):
    name: str
    arguments: tuple
    expect: str = "established"
    ended_by: str = None  # None: whoever notices first
    takes_a_deadline: bool = False  # the peer has to lose patience
    kind: str = ANY


def good(name, *arguments, kind=ANY):
    return Case(name, arguments, kind=kind)


def bad(name, *arguments, ended_by="peer", **more):
    return Case(name, arguments, "refused", ended_by, **more)


# --- a client towards a server ----------------------------------------------------------------------------------------

CLIENT_GOOD = (
    good("one Echo"),
    good("random nonces", "--nonces", "random", "--requests", "3", kind=V1),
    good("unknown bytes behind Init", "--init-extension", "deadbeef00", kind=V1),
    good("half of the extension's magic behind Init", "--init-extension", "4150", kind=V1),
    good("a later version's extension", "--init-extension", "415055530200000badcafe", kind=BARE),
    good("flags that nobody knows", "--init-extension", "4150555301fc00", kind=BARE),
    good("algorithms that nobody knows", "--init-extension", "41505553010003fe0709", kind=BARE),
    good("counted nonces", "--nonces", "counter", "--requests", "3"),
    good("200 Echos at once, then Disconnect", "--requests", "200", "--depth", "200"),
    good("Confirm and the first packet in one write", "--confirm-with-first-packet"),
    good("byte by byte", "--split-bytes", "1"),
    good("in pieces of 7 bytes", "--split-bytes", "7", "--requests", "3", "--depth", "3"),
    good("an empty text", "--size", "0"),
    good("16 KiB", "--size", "16384", "--requests", "20", "--depth", "5"),
    good("1 MiB", "--size", "1048576", "--requests", "2"),
    good("a clock 29 s behind", "--stale-ms", "29000"),
    good("a clock 1.5 s ahead", "--future-ms", "1500"),
)
LARGEST = good("the largest text that can be sealed", "--size", "16777164", kind=V1)

CLIENT_BAD_HANDSHAKE = (
    bad("a clock 31 s behind", "--stale-ms", "31000"),
    bad("a clock 3 s ahead", "--future-ms", "3000"),
    *(bad(f"low-order key {number}", "--low-order-key", str(number)) for number in range(len(LOW_ORDER_KEYS))),
    bad("a changed public key", "--alter", "init", "--flip-bit", str(PUBLIC_KEY + 5)),
    bad("a changed client nonce", "--alter", "init", "--flip-bit", str(INIT_NONCE), ended_by=None),
    bad("a changed Confirm", "--alter", "confirm", "--flip-bit", str(CONFIRM_VERIFICATION)),
    bad("the Init of another connection", "--replay-handshake"),
    bad("an HTTP request", "--prefix-bytes", HTTP_REQUEST),
    bad("a TLS ClientHello", "--prefix-bytes", TLS_CLIENT_HELLO),
    *(bad(f"out of order: {case}", "--out-of-order", case) for case in CLIENT_CASES if case != "plain-after"),
    bad("nothing after Init", "--hold-after", "init", takes_a_deadline=True),
    bad("nothing after Response", "--hold-after", "response", takes_a_deadline=True),
)

# What follows holds for either role.
BAD_SEALED = (
    bad("a packet twice", "--replay"),
    bad("a packet sent back", "--reflect"),
    bad("a nonce twice", "--repeat-nonce"),
    bad("a nonce that counts backwards", "--old-nonce"),
    bad("a plain message in the session", "--out-of-order", "plain-after"),
    bad("a bit of the nonce's prefix", "--flip-bit", "0"),
    bad("a bit of the nonce's counter", "--flip-bit", str(SEALED_NONCE_COUNTER)),
    bad("a bit of the ciphertext", "--flip-bit", str(SEALED_CIPHERTEXT)),
    bad("a bit of the tag", "--flip-bit", str(SEALED_TAG_END)),
    bad("a packet without its last byte", "--truncate", "1"),
    # The wrong Echo's packet has 57 bytes, or 58.
    *(bad(f"a packet without its last {count} bytes", "--truncate", str(count)) for count in (17, 18, 33, 34, 57, 58)),
)
BAD_COMPRESSED = (
    bad("a decompression bomb", "--bomb", kind=COMPRESSED),
    bad("an unknown compression", "--bad-compression-flag", kind=COMPRESSED),
)

# Init's extension begins at byte 60, Response's at 84, Confirm's at 36.
INIT_EXTENSION, RESPONSE_EXTENSION, CONFIRM_EXTENSION = 60 * 8, 84 * 8, 36 * 8
EXTENSION_BITS = {"the magic": 3, "the version": 32, "flag 1": 40, "flag 2": 41, "the code, or the count": 48,
                  "the byte behind it": 56}
MALFORMED_EXTENSIONS = {
    "version 0": "41505553000000",
    "nothing behind the magic": "41505553",
    "flags and no count": "415055530100",
    "an algorithm that is missing": "41505553010001",
    "17 algorithms": "41505553010011" + "01" * 17,
    "algorithm 0": "4150555301000200",
    "1,000 bytes too many": "41505553010000" + "00" * 1000,
}


def _flips(message, begin):
    """What both sides hashed is not the same, wherever the bit is; whoever is shown a proof first sees it."""
    for name, bit in EXTENSION_BITS.items():
        arguments = ("--alter", message, "--flip-bit", str(begin + bit))
        yield bad(f"{message}, {name} is changed", *arguments, ended_by=None, kind=EXTENDED)


def _damaged_proofs(message, begin):
    for name, bit in (("identity or proof", begin + 64), ("proof", -1)):
        yield bad(f"{message}, {name} is changed", "--alter", message, "--flip-bit", str(bit), kind=EXTENDED)
    for count in (1, 32, 40, 136):
        yield bad(f"{message} without its last {count} bytes", "--alter", message, "--truncate", str(count),
                  kind=EXTENDED)


def _false_headers(message, headers):
    for name, said in headers.items():
        yield bad(f"{message} says {name}", "--extension-header", said, kind=BARE)


EXTENDED_CLIENT_BAD = (
    bad("the extension is taken away", "--strip-extension", kind=EXTENDED),
    bad("an extension without mark", "--no-mark", kind=EXTENDED),
    bad("random nonces", "--nonces", "random", kind=EXTENDED),
    bad("a changed timestamp", "--alter", "init", "--flip-bit", "288", ended_by=None, kind=EXTENDED),
    *(bad(f"Init says {name}", "--init-extension", said, kind=BARE) for name, said in MALFORMED_EXTENSIONS.items()),
    *_flips("init", INIT_EXTENSION),
    *_flips("confirm", CONFIRM_EXTENSION),
    *_damaged_proofs("confirm", CONFIRM_EXTENSION),
    *_false_headers("Confirm", {"version 2": "02000000", "that a key is used": "01010000",
                                "that it compresses": "01000100", "1 for zero": "01000001"}),
)

# --- a server towards a client ----------------------------------------------------------------------------------------

SERVER_GOOD = (
    good("plain service"),
    good("random nonces", "--nonces", "random", kind=V1),
    good("byte by byte", "--split-bytes", "1"),
)
SERVER_BAD_HANDSHAKE = (
    *(bad(f"low-order key {number}", "--low-order-key", str(number)) for number in range(len(LOW_ORDER_KEYS))),
    bad("a changed public key", "--alter", "response", "--flip-bit", str(PUBLIC_KEY + 5), ended_by=None),
    bad("a changed server nonce", "--alter", "response", "--flip-bit", str(RESPONSE_NONCE), ended_by=None),
    bad("a wrong verification", "--alter", "response", "--flip-bit", str(RESPONSE_VERIFICATION)),
    bad("an HTTP answer", "--prefix-bytes", b"HTTP/1.1 400 Bad Request\r\n\r\n".hex()),
    *(
        bad(f"out of order: {case}", "--out-of-order", case, ended_by=None if case == "response-twice" else "peer")
        for case in SERVER_CASES
        if case != "plain-after"
    ),
    bad("no Response", "--hold-after", "init", takes_a_deadline=True),
    bad("nothing after Response", "--hold-after", "response", takes_a_deadline=True),
)
EXTENDED_SERVER_BAD = (
    bad("the extension is taken away", "--strip-extension", kind=EXTENDED),
    bad("an extension without mark", "--no-mark", kind=EXTENDED),
    bad("random nonces", "--nonces", "random", kind=EXTENDED),
    *_flips("response", RESPONSE_EXTENSION),
    *_damaged_proofs("response", RESPONSE_EXTENSION),
    *_false_headers("Response", {"version 2": "02000000", "version 0": "00000000", "that a key is used": "01010000",
                                 "lz4, which was not offered": "01000100", "1 for zero": "01000001"}),
)

AS_CLIENT = (*CLIENT_GOOD, LARGEST, *CLIENT_BAD_HANDSHAKE, *EXTENDED_CLIENT_BAD, *BAD_SEALED, *BAD_COMPRESSED)
AS_SERVER = (*SERVER_GOOD, *SERVER_BAD_HANDSHAKE, *EXTENDED_SERVER_BAD, *BAD_SEALED, *BAD_COMPRESSED)


def chosen(cases, kinds):
    return [case for case in cases if case.kind == ANY or case.kind in kinds]


def kinds_of(is_v1, is_bare, is_compressed):
    names = {V1: is_v1, EXTENDED: not is_v1, BARE: is_bare, COMPRESSED: is_compressed}
    return {name for name, holds in names.items() if holds}
