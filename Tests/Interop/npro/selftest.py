"""Checks the golden vectors that the project's own tests use, and our two roles against each other."""

import json
import pathlib
import re
import socket
import sys
import tempfile
import threading
import traceback

from . import cases, client, compression, extension, sealing, server, wire
from .handshake import ClientHandshake, ClientHello, KeyMaterial, ServerHandshake
from .options import Settings, identity_of, parser, settings_of

VECTORS = pathlib.Path(__file__).resolve().parents[3] / "Tests/ApusWireTests/Vectors/npro.json"
PROTOCOL = pathlib.Path(__file__).resolve().parents[3] / "docs/protocol.md"
PATIENT_SECONDS, IMPATIENT_SECONDS = 10, 0.3


def main():
    vectors = json.loads(VECTORS.read_text())
    checks = [(name, lambda check=check: check(vectors)) for name, check in VECTOR_CHECKS.items()]
    with tempfile.TemporaryDirectory() as folder:
        return report([*checks, *role_checks(pathlib.Path(folder))])


def report(checks):
    failed = 0
    for name, check in checks:
        try:
            check()
        except Exception as error:  # whatever it is, the other checks go on
            failed += 1
            where = "" if isinstance(error, AssertionError) else traceback.format_exc()
            print(f"FAILED {name}: {error}\n{where}", end="")
    for package in compression.missing(compression.CODES):
        print(f"skipped compression with {package}: it is not installed, run tools/prepare {package}")
    skipped = len(compression.missing(compression.CODES))
    print(f"{len(checks) - failed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


def require(condition, complaint):
    """As assert, which an optimising interpreter leaves out."""
    if not condition:
        raise AssertionError(complaint)


def require_equal(actual, expected, what):
    require(actual == expected, f"{what} is {actual.hex()}, expected {expected.hex()}")


# --- vectors ----------------------------------------------------------------------------------------------------------


def check_messages(vectors):
    require(len(vectors["messages"]) >= 9, "vectors are missing")
    for vector in vectors["messages"]:
        expected = bytes.fromhex(vector["message"])
        message = wire.decode(expected)
        require(wire.NAMES[message.kind] in vector["name"], f"{vector['name']} was read as {message}")
        require_equal(_encoded(message), expected, vector["name"])
        require_equal(wire.packet(expected), bytes.fromhex(vector["packet"]), vector["name"])


def _encoded(message):
    if message.kind == wire.ECHO:
        return wire.encode_echo(*message.body)
    return wire.encode_custom(*message.body) if message.kind == wire.CUSTOM else wire.encode_simple(message.kind)


def check_every_split(vectors):
    stream = b"".join(bytes.fromhex(vector["packet"]) for vector in vectors["messages"])
    expected = [bytes.fromhex(vector["message"]) for vector in vectors["messages"]]
    for split in range(len(stream) + 1):
        reader, payloads = wire.PacketReader(), []
        for part in (stream[:split], stream[split:]):
            reader.feed(part)
            while (payload := reader.next()) is not None:
                payloads.append(payload)
        require(payloads == expected, f"split at {split}: other payloads")


def check_handshake(vectors):
    vector = vectors["handshake"]
    field = {name: bytes.fromhex(value) for name, value in vector.items() if isinstance(value, str)}
    ours = KeyMaterial.of(field["client_private"], field["client_nonce"])
    theirs = KeyMaterial.of(field["server_private"], field["server_nonce"])
    require_equal(ours.public_key, field["client_public"], "client_public")
    require_equal(theirs.public_key, field["server_public"], "server_public")
    require_equal(ours.shared_secret(theirs.public_key), field["shared"], "shared")
    client_side = ClientHandshake(ClientHello(ours, vector["timestamp_ms"]))
    server_side = ServerHandshake(theirs, set())
    response = server_side.receive_init(client_side.init, vector["timestamp_ms"])
    confirm, session = client_side.receive(response)
    for name, actual in (("init", client_side.init), ("response", response), ("confirm", confirm)):
        require_equal(actual, field[name], name)
    for key in (session.sending_key, session.receiving_key, server_side.receive_confirm(confirm).sending_key):
        require_equal(key, field["session_key"], "session_key")


def check_hchacha20(vectors):
    key, nonce, expected = (bytes.fromhex(vectors["hchacha20"][name]) for name in ("key", "nonce", "out"))
    require_equal(sealing.hchacha20(key, nonce), expected, "HChaCha20")


def check_sealed(vectors):
    cipher = sealing.XChaCha20Poly1305(bytes.fromhex(vectors["handshake"]["session_key"]))
    for vector in vectors["sealed"]:
        nonce, plaintext, expected = (bytes.fromhex(vector[name]) for name in ("nonce", "plaintext", "payload"))
        require_equal(cipher.seal(nonce, plaintext), expected, vector["name"])
        require_equal(cipher.open(expected), plaintext, vector["name"])


def check_xchacha20_poly1305(_):
    """draft-irtf-cfrg-xchacha-03, appendix A.3.1, whose associated data no packet has: its key and nonce only."""
    key = bytes(range(0x80, 0xA0))
    nonce = bytes(range(0x40, 0x58))
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = sealing.XChaCha20Poly1305(key).seal(nonce, text)
    require_equal(sealed[24:40], bytes.fromhex("bd6d179d3e83d43b9576579493c0e939"), "the ciphertext's first block")


def check_lz4(vectors):
    for vector in vectors["lz4_size_prefixed_block"]:
        plain, compressed = bytes.fromhex(vector["plain"]), bytes.fromhex(vector["compressed"])
        require_equal(compression.compress(plain, "lz4"), compressed, "lz4")
        require_equal(compression.decompress(compressed, "lz4"), plain, "lz4")


# --- the vectors of the extension, in docs/protocol.md ----------------------------------------------------------------


def extension_vectors():
    """Per block of the section "Vectors": section and label → bytes, each section's own bytes joined under ""."""
    section = PROTOCOL.read_text().split("### Vectors", 1)[1].split("\n## ", 1)[0]
    return [_block(text) for text in section.split("```")[1::2]]


def _block(text):
    found, section, label = {}, None, None
    for line in text.strip("\n").split("\n"):
        if not line.startswith(" "):
            section = line.strip()
            continue
        labelled, continued = re.fullmatch(r"  (\S.*?) +([0-9a-f]+)", line), line.strip()
        if labelled:
            label, continued = labelled[1], labelled[2]
        for name in (label, ""):
            found[section, name] = found.get((section, name), b"") + bytes.fromhex(continued)
    return found


def check_extension(_):
    vectors = extension_vectors()
    require(len(vectors) == 2, f"{len(vectors)} blocks of vectors in {PROTOCOL.name}")
    check_extension_block(vectors[0], Settings(), Settings())
    identities = {role: identity_of(seed) for role, seed in IDENTITIES.items()}
    pins = {role: extension.public_bytes(identity) for role, identity in identities.items()}
    offered = ["zstd", "lz4"]
    check_extension_block(vectors[1], Settings(PSK, identities["client"], [pins["server"]], compression=offered),
                          Settings(PSK, identities["server"], [pins["client"]], compression=offered))


def check_extension_block(vector, client_settings, server_settings):
    ours, theirs = KeyMaterial.of(bytes(range(1, 33)), bytes(16)), KeyMaterial.of(bytes(range(33, 65)), bytes(16))
    ours, theirs = ours._replace(nonce=bytes(range(16))), theirs._replace(nonce=bytes(range(16, 32)))
    now = 1_700_000_000_000
    client_side = extension.ExtendedClient(client_settings, ClientHello(ours, now))
    server_side = extension.ExtendedServer(server_settings, theirs, set())
    response = server_side.receive_init(client_side.init, now)
    confirm, session = client_side.receive(response)
    accepted = server_side.receive_confirm(confirm)
    require_equal(client_side.init, vector["Init", ""], "Init")
    require_equal(response, vector["Response", ""], "Response")
    require_equal(confirm, vector["Confirm", ""], "Confirm")
    require_equal(server_side.secret, vector["Keys", "secret"], "secret")
    for side in (session, accepted._replace(sending_key=accepted.receiving_key, receiving_key=accepted.sending_key)):
        require_equal(side.sending_key, vector["Keys", "to the server"], "client to server")
        require_equal(side.receiving_key, vector["Keys", "to the client"], "server to client")
    for name, key, prefix, kind in (("Ping", session.sending_key, 0x40, wire.PING),
                                    ("Pong", session.receiving_key, 0x50, wire.PONG)):
        nonce = bytes(range(prefix, prefix + 16)) + bytes(8)
        sealed = sealing.XChaCha20Poly1305(key).seal(nonce, wire.encode_simple(kind))
        require_equal(sealed, vector["Sealed", name], name)


VECTOR_CHECKS = {
    "the extension's vectors": check_extension,
    "messages": check_messages,
    "packets at every split": check_every_split,
    "handshake": check_handshake,
    "HChaCha20": check_hchacha20,
    "sealed packets": check_sealed,
    "XChaCha20-Poly1305 of the draft": check_xchacha20_poly1305,
}
if not compression.missing(["lz4"]):
    VECTOR_CHECKS["lz4 blocks"] = check_lz4


# --- one role against the other ---------------------------------------------------------------------------------------


PSK, IDENTITIES = bytes(range(0x60, 0x80)), {"client": bytes(range(0x80, 0xA0)), "server": bytes(range(0xA0, 0xC0))}


def role_checks(folder):
    """(name, check) of each case, under each way to secure a session."""
    for name, arguments, kinds in arrangements(folder):
        for role, played in (("client", cases.AS_CLIENT), ("server", cases.AS_SERVER)):
            for case in cases.chosen(played, kinds):
                yield f"{name}, {role}, {case.name}", lambda case=case, role=role, arguments=arguments: play(
                    case, role, arguments)


def arrangements(folder):
    """(name, arguments of client and server, kinds of cases)"""
    write(folder, "psk", PSK + b"\n")
    publics = {role: write_identity(folder, role, seed) for role, seed in IDENTITIES.items()}
    psk = ["--psk-file", str(folder / "psk")]
    identities = {
        role: ["--identity", str(folder / role), "--pin", publics["client" if role == "server" else "server"]]
        for role in publics
    }
    yield "v1", both([]), cases.kinds_of(True, False, False)
    yield "extension", both(["--extended"]), cases.kinds_of(False, True, False)
    yield "pre-shared key", both(psk), cases.kinds_of(False, False, False)
    yield "identities", identities, cases.kinds_of(False, False, False)
    for name in compression.CODES:
        if not compression.missing([name]):
            yield name, both([*psk, "--compression", name]), cases.kinds_of(False, False, True)


def both(arguments):
    return {"client": arguments, "server": arguments}


def write(folder, name, content):
    (folder / name).write_bytes(content)


def write_identity(folder, name, seed):
    write(folder, name, seed.hex().encode() + b"\n")
    return extension.public_bytes(identity_of(seed)).hex()


def play(case, role, arguments):
    """Our `role` does what the case says; the other role behaves, and has to notice."""
    seconds = IMPATIENT_SECONDS if case.takes_a_deadline else PATIENT_SECONDS
    other = "server" if role == "client" else "client"
    ours = [*case.arguments, *arguments[role]]
    theirs = ["--timeout", str(seconds), *arguments[other]]
    if role == "client":
        outcome, _ = converse(ours, theirs)
        require(outcome.outcome == case.expect, f"expected {case.expect}: {outcome.line()}")
        require(case.ended_by in (None, outcome.ended_by), f"expected the {case.ended_by} to end it: {outcome.line()}")
    else:
        # A client that leaves looks like one that has seen enough: what it made of our server, it knows itself.
        outcome, _ = converse([*theirs, "--requests", "3"], ours)
        expected = "silent" if case.takes_a_deadline else case.expect
        require(outcome.outcome == expected, f"expected {expected}: {outcome.line()}")
        require(case.ended_by is None or outcome.ended_by == "us", f"expected the client to end it: {outcome.line()}")


def converse(client_arguments, server_arguments):
    """A client and a server of ours over socket pairs; gives both outcomes."""
    client_options = parser("").parse_args(["client", *client_arguments])
    server_options = parser("").parse_args(["server", *server_arguments])
    seen_nonces, outcomes, threads = set(), [], []

    def serve(stream):
        outcomes.append(server.conduct_one(server_options, settings_of(server_options), lambda: stream,
                                           seen_nonces=seen_nonces))

    def connect():
        ours, theirs = socket.socketpair()
        threads.append(threading.Thread(target=serve, args=(theirs,), daemon=True))
        threads[-1].start()
        return ours

    client_outcome = client.run(client_options, settings_of(client_options), connect)
    for thread in threads:
        thread.join(timeout=2 * PATIENT_SECONDS)
    require(len(outcomes) == len(threads), "the server has not ended")
    return client_outcome, outcomes[0]


if __name__ == "__main__":
    sys.exit(main())
