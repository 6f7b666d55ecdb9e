"""Who may import whom. The table is ARCHITECTURE.md's map; change both in one commit.

apus → ApusServer, ApusClient, ApusLoad, ApusConfiguration → { reactor, security, compression, services } → ApusWire
apus → ApusOperations → reactor
apus also names what its flags ask of security and compression.
"""

import re

from .finding import Finding
from .functions import line_at

_SERVICES = {"ApusRelay", "ApusCluster", "ApusHub", "ApusBroadcast", "ApusConsensus"}
_STATE = {"ApusSecurity", "ApusCompression"} | _SERVICES
# Only these three see both bytes and descriptors.
_MEETING_PLACE = {"ApusReactor", "ApusWire"} | _STATE

_OWN_IMPORTS = {
    "apus": {
        "ApusServer", "ApusClient", "ApusLoad", "ApusOperations", "ApusConfiguration", "ApusLogging", "ApusSecurity",
        "ApusCompression",
    },
    "ApusOperations": {"ApusReactor"},
    "ApusServer": _MEETING_PLACE,
    "ApusClient": _MEETING_PLACE,
    "ApusLoad": _MEETING_PLACE,
    # Of the wire it takes values such as networks.
    "ApusConfiguration": _STATE | {"ApusWire"},
    "ApusReactor": {"CURing"},
    "ApusSecurity": {"COpenSSL", "ApusWire"},
    "ApusCompression": {"CCompression"},
    "ApusLogging": set(),
    "ApusWire": set(),
} | {service: {"ApusWire"} for service in _SERVICES}

_FOUNDATION = {"Foundation", "FoundationEssentials"}
_FOREIGN_IMPORTS = {
    "apus": {"ArgumentParser", "Glibc", "Logging"} | _FOUNDATION,
    "ApusConfiguration": {"TOMLKit"} | _FOUNDATION,
    "ApusOperations": _FOUNDATION,
    "ApusLoad": {"Histogram"},
    "ApusLogging": {"Glibc", "Logging"},
    "ApusReactor": {"Glibc"},
}

MODULES = frozenset(_OWN_IMPORTS)

_IMPORT = re.compile(
    r"""
    (?:^|;)[ \t]*(?:@\w+(?:\([^)\n]*\))?[ \t]+)*                             # @testable, @preconcurrency, @_spi(X)
    (?:(?:public|package|internal|fileprivate|private)[ \t]+)?
    import[ \t]+
    (?:(?:struct|class|enum|protocol|typealias|func|var|let|actor)[ \t]+)?
    `?(?P<module>\w+)
""",
    re.VERBOSE | re.MULTILINE,
)


def module_of(source):
    """The module a file of Sources belongs to, or None."""
    parts = source.path.split("/")
    return parts[1] if parts[0] == "Sources" and len(parts) > 2 and source.language == "swift" else None


def _allowed(module):
    synchronization = set() if module == "ApusWire" else {"Synchronization"}
    return _OWN_IMPORTS[module] | _FOREIGN_IMPORTS.get(module, set()) | synchronization


def check(source):
    module = module_of(source)
    if module is None:
        return
    if module not in MODULES:
        yield Finding(
            source.path, 1, "import", f"module {module} is not in the table of tools/tidying/imports.py: add it"
        )
        return
    for statement in _IMPORT.finditer(source.code):
        if statement["module"] not in _allowed(module):
            line = line_at(source.code, statement.start("module"))
            yield Finding(source.path, line, "import", _advice(module, statement["module"]))


def _advice(module, imported):
    permitted = ", ".join(sorted(_allowed(module))) or "nothing"
    if imported in _FOUNDATION:
        return f"{module} may not import {imported}: Foundation lives in apus and the two modules beside it"
    if imported == "Glibc":
        return f"{module} may not import Glibc: system calls live in ApusReactor, ApusLogging and apus only"
    if imported in MODULES:
        return f"{module} may not import {imported} (sideways or upwards): pass it a value; it may import {permitted}"
    return f"{module} may not import {imported}: it may import {permitted}"
