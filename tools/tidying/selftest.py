"""Plants one violation of each rule in a tree of its own and shows that each is found, where it is, and alone.

In a planted text `▶` marks the place that must be reported. Words that tidy forbids are written in two pieces.
"""

import contextlib
import io
import pathlib
import tempfile

from . import ledger, ratchet, tree

_WIRE = "Sources/ApusWire/Planted.swift"
_SERVER = "Sources/ApusServer/Planted.swift"
_SHARD = "Sources/ApusServer/Shard.swift"
_HEAD = "// Planted.\n"


def _swift_function(line_count):
    return _HEAD + "▶func long() {\n" + "    step()\n" * line_count + "}\n"


def _c_function(line_count):
    return "static int long_one(int a) ▶{\n" + "    a++;\n" * line_count + "}\n"


def _python_function(line_count):
    return "▶def long_one(a):\n" + "    a += 1\n" * line_count


# Each is (rule, path, text).
VIOLATIONS = [
    ("import", _WIRE, _HEAD + "▶import ApusReactor\n"),
    ("import", _WIRE, _HEAD + "let a = 1; ▶import Glibc\n"),
    ("import", _WIRE, _HEAD + "▶import Synchronization\n"),
    ("import", _SERVER, _HEAD + "▶import Foundation\n"),
    ("import", _SERVER, _HEAD + "▶import Glibc\n"),
    ("import", _SERVER, _HEAD + "▶import CURing\n"),
    ("import", _SERVER, _HEAD + "@preconcurrency ▶internal import struct ApusClient.Client\n"),
    ("import", "Sources/ApusClient/Planted.swift", _HEAD + "▶import ApusServer\n"),
    ("import", "Sources/ApusReactor/Planted.swift", _HEAD + "▶import ApusWire\n"),
    ("import", "Sources/ApusRelay/Planted.swift", _HEAD + "▶import COpenSSL\n"),
    ("import", "Sources/apus/Planted.swift", _HEAD + "▶import ApusReactor\n"),
    ("import", "Sources/ApusConfiguration/Planted.swift", _HEAD + "▶import CCompression\n"),
    ("import", "Sources/ApusLogging/Planted.swift", _HEAD + "▶import Foundation\n"),
    ("import", "Sources/ApusLogging/Planted.swift", _HEAD + "▶import ApusServer\n"),
    ("import", _SERVER, _HEAD + "▶import Logging\n"),
    ("import", "Sources/ApusUnheardOf/Planted.swift", "▶" + _HEAD),
    ("type-name", _SERVER, _HEAD + "▶struct ApusServer {}\n"),
    ("line-length", _SERVER, _HEAD + "▶let long = " + "1 + " * 30 + "1\n"),
    ("line-length", "tools/planted", "#!/usr/bin/env bash\n▶echo " + "x" * 120 + "\n"),
    ("function-length", _SERVER, _swift_function(31)),
    ("function-length", _SERVER, _swift_function(71)),
    ("function-length", "Benchmarks/planted.c", _c_function(31)),
    ("function-length", "Benchmarks/planted.py", _python_function(31)),
    ("banned-word", _SERVER, _HEAD + "▶struct ConnectionManager {}\n"),
    ("banned-word", _SERVER, _HEAD + "▶func readHelper() {}\n"),
    ("banned-word", _SERVER, _HEAD + "▶enum ByteUtils {}\n"),
    ("banned-word", _SERVER, _HEAD + "▶let data = 1\n"),
    ("banned-word", _SERVER, _HEAD + "▶func read(_ info: Int) {}\n"),
    ("banned-word", _SERVER, _HEAD + "▶let read = { data in data }\n"),
    ("banned-word", "Sources/ApusServer/RingUtil.swift", "▶" + _HEAD),
    ("banned-word", _SERVER, _HEAD + "// ▶TO" + "DO: later\n"),
    ("banned-word", "docs/planted.md", "▶FIX" + "ME later\n"),
    ("banned-word", _SERVER, _HEAD + "let a = ▶try? read()\n"),
    ("banned-word", _SERVER, _HEAD + "let a = ▶try! read()\n"),
    ("banned-word", _SERVER, _HEAD + 'let a = "\\(▶try! read())"\n'),
    ("banned-word", _SERVER, _HEAD + 'func f() { ▶fatalError("no") }\n'),
    ("banned-word", _SERVER, _HEAD + "func f() { ▶preconditionFailure() }\n"),
    ("banned-word", "Package.swift", '// swift-tools-version: 6.2\nlet flags = "▶-Oun' + 'checked"\n'),
    ("banned-word", "Package.swift", '// swift-tools-version: 6.2\nlet flags = ▶unsafeFlags(["-O"])\n'),
    ("banned-word", "docs/planted.md", "A ▶mas" + "ter node.\n"),
    ("banned-word", "docs/planted.md", "A ▶sla" + "ve node.\n"),
    ("banned-word", "docs/planted.md", "A ▶white" + "list.\n"),
    ("machine-path", "docs/planted.md", "See ▶/wo" + "rk/apus.\n"),
    ("machine-path", "Tests/planted.json", '{"swift": "▶/op' + 't/swift/usr"}\n'),
    ("machine-path", "docs/planted.md", "From ▶https://pypi" + ".org/simple.\n"),
    ("unsafe-ledger", _SERVER, _HEAD + "let a = ▶unsafe pointer.pointee\n"),
    ("unsafe-ledger", _SERVER, _HEAD + "read(▶unsafe pointer.pointee)\n"),
    ("unsafe-ledger", _SERVER, _HEAD + "let a: ▶UnsafeMutableRawPointer\n"),
    ("unsafe-ledger", _SERVER, _HEAD + "let a = ▶unsafeBitCast(b, to: Int.self)\n"),
    ("unsafe-ledger", _SERVER, _HEAD + "let a = b ▶&- c\n"),
    ("unsafe-ledger", _SERVER, _HEAD + "▶nonisolated(unsafe) var a = 1\n"),
    ("unsafe-ledger", _SERVER, _HEAD + "struct Loop: ▶@unchecked Sendable {}\n"),
    ("hot-path", _SHARD, _HEAD + "let a: ▶any Handler\n"),
    ("hot-path", _SHARD, _HEAD + "func turn() ▶async {}\n"),
    ("hot-path", _SHARD, _HEAD + "let turn = ▶Task { 1 }\n"),
    ("hot-path", _SHARD, _HEAD + "let name: ▶String\n"),
    ("hot-path", "Sources/ApusServer/ConnectionTable.swift", _HEAD + "▶var all: [Connection]\n"),
    ("hot-path", "Sources/ApusServer/Slab.swift", _HEAD + "func all() -> ▶[Int: Connection]\n"),
    ("hot-path", "Sources/ApusServer/Slab.swift", _HEAD + "let all = ▶[UInt8]()\n"),
    ("hot-path", "Sources/ApusServer/Sessions/Packets.swift", _HEAD + "var all = ▶[]\n"),
    ("first-comment", _SERVER, "▶struct Planted {}\n"),
    (
        "default-case",
        _SERVER,
        _HEAD + "enum Kind { case ping, pong }\nswitch kind {\ncase .ping: a()\n▶default: b()\n}\n",
    ),
]

# Everything here looks like a violation and is none.
INNOCENT = {
    "Package.swift": "// swift-tools-version: 6.2\n// unsafeFlags are for others.\n",
    "Sources/apus/Serve.swift": _HEAD + "import ApusServer\nimport ArgumentParser\nimport Foundation\nimport Glibc\n",
    "Sources/ApusReactor/Ring.swift": "/* Planted. */\nimport CURing\nimport Glibc\nimport Synchronization\n",
    "Sources/ApusServer/Shard.swift": r'''// any Task, async, String: words of a comment.
/* let data = 1; /* nested: try! */ try? fatalError() unsafe */
struct Shard {
    let text: StaticString = "any Task async String try? [Int] } { \" fatalError("
    let raw: StaticString = #"unsafe \ " &- "#
    let lines: StaticString = """
        func notAFunction() { try! "quoted" {{{{
        """
    let pattern = /"try!{{{/
    let half = whole / 2 / 3  // A quotient, not a "pattern.
    var description: String { text }  // tidy: printed when a shard stops, never for a packet
    // tidy: reserved once, at start
    var slots: [Slot]
    let names: [Name]
    func receive(_ bytes: [UInt8]) { slots[Token] = slab[Slot] }
    func stop() { preconditionFailure("not so") }
}
''',
    "Sources/ApusServer/Kind.swift": _HEAD
    + "enum Kind { case ping, pong }\nswitch foreign {\ncase .other: a()\ndefault: b()\n}\n",
    "Sources/ApusServer/Requirements.swift": _HEAD
    + "protocol Handler {\n    func first()\n    func second(\n        _ a: Int\n    ) -> Int\n"
    + "    var third: Int { get }\n}\n"
    + "extension Handler {\n"
    + "    // A long extension is no long function.\n" * 80
    + "}\n",
    "docs/network.md": "[source](https://example.com/blob/mas" + "ter/work/x) ./work/ and word/opt/word\n",
}


def run(findings, update_ratchet):
    """The number of failures decides the exit code."""
    failures = _failures_of_innocents(findings)
    failures += [failure for violation in VIOLATIONS for failure in _failures_of_violation(findings, *violation)]
    failures += _failures_of_ratchet(findings, update_ratchet)
    failures += _failures_of_ledger(findings)
    print("\n".join(failures + [_summary(len(failures))]))
    return 1 if failures else 0


def _summary(failure_count):
    rules = len({rule for rule, _, _ in VIOLATIONS})
    outcome = f"{failure_count} surprises" if failure_count else "each found, no innocent accused"
    return f"tidy --self-test: {len(VIOLATIONS)} planted violations of {rules} rules, ratchet and ledger: {outcome}"


def _findings_in(findings, files):
    with tempfile.TemporaryDirectory() as root:
        _plant(root, files)
        return list(findings(root))


def _plant(root, files):
    pathlib.Path(root, "tools").mkdir(exist_ok=True)
    for path, text in files.items():
        file = pathlib.Path(root, path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _failures_of_innocents(findings):
    return [f"accused without cause: {finding}" for finding in _findings_in(findings, INNOCENT)]


def _failures_of_violation(findings, rule, path, marked):
    expected = (path, marked[: marked.index("▶")].count("\n") + 1, rule)
    found = _findings_in(findings, {path: marked.replace("▶", "")})
    places = {(finding.path, finding.line, finding.rule) for finding in found}
    if places == {expected}:
        return []
    seen = "; ".join(map(str, found)) or "nothing"
    return [f"planted {rule} at {path}:{expected[1]} ({marked.split('▶')[1].splitlines()[0]}): found {seen}"]


def _failures_of_ratchet(findings, update_ratchet):
    """It admits what was admitted, notices what became less, and is raised only on request."""
    debt = {_SERVER: _swift_function(31).replace("▶", "")}
    with tempfile.TemporaryDirectory() as root, contextlib.redirect_stderr(io.StringIO()):
        _plant(root, debt)
        outcomes = {
            "a silent raise is refused": update_ratchet(root, allow_raise=False) == 1,
            "a raise on request is written": update_ratchet(root, allow_raise=True) == 0,
            "a recorded debt is silent": not list(findings(root)),
        }
        _plant(root, {_SERVER: _HEAD})
        outcomes["a smaller debt asks for an update"] = {finding.rule for finding in findings(root)} == {"ratchet"}
        outcomes["lowering needs no permission"] = update_ratchet(root, allow_raise=False) == 0
        outcomes["the lowered ratchet is silent"] = not list(findings(root))
        outcomes["no debt is left on record"] = ratchet.committed(root) == {}
    return [f"ratchet: not so: {claim}" for claim, held in outcomes.items() if not held]


def _failures_of_ledger(findings):
    """What is recorded is silent; one less is a change too."""
    with tempfile.TemporaryDirectory() as root:
        _plant(root, {_SERVER: _HEAD + "let a = unsafe b &- c\n"})
        outcomes = {
            "an unrecorded construct is found": {finding.rule for finding in findings(root)} == {"unsafe-ledger"}
        }
        ledger.write(root, tree.sources(root))
        outcomes["a recorded construct is silent"] = not list(findings(root))
        _plant(root, {_SERVER: _HEAD + "let a = unsafe b - c\n"})
        outcomes["one less is a change"] = [finding.rule for finding in findings(root)] == ["unsafe-ledger"]
    return [f"ledger: not so: {claim}" for claim, held in outcomes.items() if not held]
