"""Apus with `--security handshake` against our own peer, in both roles."""

import queue
import threading

from . import cases, client, compression, server
from .options import parser, settings_of
from .rig import Failed, Skipped, address_text, require, require_failure, require_success

PINGS = 3
PING = ("--security", "handshake", "--count", str(PINGS), "--interval", "10ms", "--timeout", "2s")
DEADLINE = ("--handshake-timeout", "1s")
PAYLOAD = "bytes of a payload " * 20
# Verb → its arguments, and what has to be in its output.
VERBS = {
    "echo": (("grüße",), "grüße".encode()),
    "send": (("--command", "STORE", "--payload", PAYLOAD), PAYLOAD.encode()),
}


def play(report, apus, secrets):
    arrangements = _arrangements(secrets)
    for arrangement in arrangements:
        _play_listener(report, apus, arrangement)
    for arrangement in arrangements:
        _play_client(report, apus, arrangement)
    _play_mismatches(report, apus, secrets)


class Arrangement:
    """How both sides are told to secure a connection, and what has to come of it."""

    def __init__(self, name, apus=(), peer=(), **expected):
        self.name, self.apus, self.peer = name, tuple(apus), tuple(peer)
        self.expected = {"v1": False, "authenticated": False, "compression": None, **expected}

    @property
    def algorithms(self):
        return parser("").parse_args(["client", *self.peer]).compression

    @property
    def kinds(self):
        return cases.kinds_of(self.expected["v1"], "--extended" in self.peer, bool(self.algorithms))

    def require_packages(self):
        if missing := compression.missing(self.algorithms):
            raise Skipped(f"{' '.join(missing)} is not installed")

    def require_outcome(self, outcome):
        for name, value in self.expected.items():
            require(getattr(outcome, name) == value, f"{name} is not {value}: {outcome.line()}")


def _arrangements(secrets):
    psk = ("--psk-file", secrets.psk_file)
    ours = ("--identity-file", secrets.apus_identity, "--pin", secrets.peer_public)
    theirs = ("--identity", secrets.peer_identity, "--pin", secrets.apus_public)
    return [
        Arrangement("v1", v1=True),
        Arrangement("extension alone", (), ("--extended",)),
        Arrangement("pre-shared key", psk, psk, authenticated=True),
        Arrangement("identities", ours, theirs, authenticated=True),
        Arrangement("key and identities", psk + ours, psk + theirs, authenticated=True),
        Arrangement("lz4", (*psk, "--compression", "lz4"), (*psk, "--compression", "lz4"), authenticated=True,
                    compression="lz4"),
        Arrangement("zstd", (*psk, "--compression", "zstd"), (*psk, "--compression", "zstd"), authenticated=True,
                    compression="zstd"),
    ]


# --- Apus listens -----------------------------------------------------------------------------------------------------


def _play_listener(report, apus, arrangement):
    chosen = cases.chosen(cases.AS_CLIENT, arrangement.kinds)
    patient = [case for case in chosen if not case.takes_a_deadline]
    hasty = [case for case in chosen if case.takes_a_deadline]
    last = cases.CLIENT_GOOD[0]
    name = f"apus serve, {arrangement.name}"
    report.play_group(name, lambda: _play_one_listener(report, apus, arrangement, [*patient, last]))
    report.play_group(name, lambda: _play_one_listener(report, apus, arrangement, [*hasty, last], *DEADLINE))


def _play_one_listener(report, apus, arrangement, played, *extra):
    """The last case is a good one: the listener still serves after all that was wrong."""
    arrangement.require_packages()
    with apus.serve("--security", "handshake", *arrangement.apus, *extra) as listener:
        for case in played:
            name = f"apus serve, {arrangement.name}: {case.name}"
            report.play(name, lambda: check_client(listener.address, case, arrangement))


def check_client(address, case, arrangement):
    """Our client does what the case says, and what came of it is what had to."""
    outcome = run_client(address, *case.arguments, *arrangement.peer)
    require(outcome.outcome == case.expect, f"expected {case.expect}: {outcome.line()}")
    require(case.ended_by in (None, outcome.ended_by), f"expected the {case.ended_by} to end it: {outcome.line()}")
    if case.expect == "established":
        arrangement.require_outcome(outcome)


def run_client(address, *arguments):
    options = parser("").parse_args(["client", "--address", address_text(address), *arguments])
    return client.run(options, settings_of(options))


# --- Apus connects ----------------------------------------------------------------------------------------------------


def _play_client(report, apus, arrangement):
    report.play_group(f"apus ping, {arrangement.name}", lambda: _play_verbs(report, apus, arrangement))


def _play_verbs(report, apus, arrangement):
    arrangement.require_packages()
    apus.require_flags("ping", "--security", *(flag for flag in arrangement.apus if flag.startswith("--")))
    for case in cases.chosen(cases.AS_SERVER, arrangement.kinds):
        report.play(f"apus ping, {arrangement.name}: {case.name}", lambda: check_server(apus, case, arrangement))
    for verb, (arguments, expected) in VERBS.items():
        report.play(f"apus {verb}, {arrangement.name}",
                    lambda: check_verb(apus, arrangement, verb, arguments, expected))


class OneServer:
    """Our server in a thread, for one connection; `address` when it listens, `outcome()` when it has ended."""

    def __init__(self, *arguments):
        self.options = parser("").parse_args(["server", *arguments])
        self.announced, self.ended = queue.Queue(), queue.Queue()
        threading.Thread(target=self._run, daemon=True).start()
        self.address = self.announced.get(timeout=self.options.timeout).removeprefix("listening on ")

    def _run(self):
        self.ended.put(server.run(self.options, settings_of(self.options), self.announced.put))

    def outcome(self):
        try:
            return self.ended.get(timeout=3 * self.options.timeout)
        except queue.Empty as empty:
            raise Failed("our server has not ended") from empty


def check_server(apus, case, arrangement):
    """Our server does what the case says to `apus ping`."""
    ours = OneServer(*case.arguments, *arrangement.peer)
    ended = apus.run("ping", "--address", ours.address, *PING, *arrangement.apus)
    outcome = ours.outcome()
    if case.expect == "refused":
        said = require_failure(ended)
        went_well = outcome.outcome == "established" and outcome.echoes == PINGS
        require(not went_well, f"apus failed with '{said}', but: {outcome.line()}")
        return
    require_success(ended)
    require(outcome.outcome == "established", outcome.line())
    require(outcome.echoes == PINGS, f"{PINGS} pings were asked for: {outcome.line()}")
    arrangement.require_outcome(outcome)


def check_verb(apus, arrangement, verb, arguments, expected):
    ours = OneServer(*arrangement.peer)
    output = require_success(
        apus.run(verb, "--address", ours.address, "--security", "handshake", *arrangement.apus, *arguments)
    )
    require(expected in output, f"{output!r} came back")
    outcome = ours.outcome()
    require(outcome.outcome == "established", outcome.line())
    arrangement.require_outcome(outcome)


# --- two sides that were told different things ------------------------------------------------------------------------


class Mismatch(Arrangement):
    """Like an arrangement; `taken` says whether they come together all the same."""

    def __init__(self, name, apus=(), peer=(), taken=False, **expected):
        super().__init__(name, apus, peer, **expected)
        self.taken = taken


def _mismatches(secrets):
    psk, other = ("--psk-file", secrets.psk_file), ("--psk-file", secrets.other_psk_file)
    pin = ("--pin", secrets.peer_public)
    known = ("--identity", secrets.peer_identity)
    unknown = ("--identity", secrets.stranger_identity)
    identity = ("--identity-file", secrets.apus_identity)
    return [
        Mismatch("another key", psk, other),
        Mismatch("a key on our side only", (), psk),
        Mismatch("a key on Apus' side only", psk, ("--extended",)),
        Mismatch("a key, and a peer of v1", psk, ()),
        Mismatch("a key, and a peer of v1 that is allowed", (*psk, "--allow-v1"), (), taken=True, v1=True),
        Mismatch("an allowed v1, but a key on either side", (*psk, "--allow-v1"), psk, taken=True, authenticated=True),
        Mismatch("another key, though v1 is allowed", (*psk, "--allow-v1"), other),
        Mismatch("a pin, and a peer without identity", pin, ("--extended",)),
        Mismatch("a pin, and a stranger", pin, unknown),
        Mismatch("a pin, and a peer of v1", pin, ()),
        Mismatch("a pin, and one who lacks its private key", pin, (*unknown, "--claim-identity", secrets.peer_public)),
        Mismatch("a pin that one side has", pin, known, taken=True, authenticated=None),
        Mismatch("our pin, and Apus is a stranger", identity, ("--pin", secrets.stranger_public)),
        Mismatch("our pin, and Apus has no identity", (), ("--pin", secrets.apus_public)),
        Mismatch("the key of both, but the pin is another's", (*psk, "--pin", secrets.stranger_public), psk + known),
    ]


def _play_mismatches(report, apus, secrets):
    for mismatch in _mismatches(secrets):
        report.play(f"apus serve, {mismatch.name}", lambda: check_listener_mismatch(apus, mismatch))
    for mismatch in _mismatches(secrets):
        report.play(f"apus ping, {mismatch.name}", lambda: check_client_mismatch(apus, mismatch))


def check_listener_mismatch(apus, mismatch):
    with apus.serve("--security", "handshake", *mismatch.apus) as listener:
        outcome = run_client(listener.address, *mismatch.peer)
    expected = "established" if mismatch.taken else "refused"
    require(outcome.outcome == expected, f"expected {expected}: {outcome.line()}")
    if mismatch.taken and mismatch.expected["authenticated"] is not None:
        mismatch.require_outcome(outcome)


def check_client_mismatch(apus, mismatch):
    apus.require_flags("ping", "--security", *(flag for flag in mismatch.apus if flag.startswith("--")))
    ours = OneServer(*mismatch.peer)
    ended = apus.run("ping", "--address", ours.address, *PING, *mismatch.apus)
    outcome = ours.outcome()
    if mismatch.taken:
        require_success(ended)
        require(outcome.outcome == "established", outcome.line())
    else:
        require_failure(ended)
        require(outcome.outcome == "refused", outcome.line())
