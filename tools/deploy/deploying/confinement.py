"""Runs a command as its unit or its container would confine it, where neither systemd nor a container engine runs.

    confinement --unit FILE | --profile FILE [--user UID] COMMAND...

Without capabilities but CAP_NET_BIND_SERVICE, without a way to new ones, as another user (when started as root), with
the limits and the system calls that the file grants. Never what the mount and network namespaces would add.
"""

import argparse
import ctypes
import json
import os
import pathlib
import resource
import sys

from . import seccomp, unit

_PR_CAPBSET_READ, _PR_CAPBSET_DROP = 23, 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN = 65, 1
_CAP_NET_BIND_SERVICE = 10
_BYTE_COUNTS = {"K": 1 << 10, "M": 1 << 20}


def _control(operation, value, may_fail=False):
    library = ctypes.CDLL(None, use_errno=True)
    code = library.prctl(operation, ctypes.c_ulong(value), 0, 0, 0)
    if code < 0 and not may_fail:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl {operation}: {os.strerror(number)}")
    return code


def _become(user):
    if os.geteuid() != 0:
        return
    capability = 0
    while _control(_PR_CAPBSET_READ, capability, may_fail=True) >= 0:
        if capability != _CAP_NET_BIND_SERVICE:
            _control(_PR_CAPBSET_DROP, capability)
        capability += 1
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)


def _limit(path):
    service = unit.Unit(path)
    memlock = service.value("Service", "LimitMEMLOCK")
    _lower(resource.RLIMIT_MEMLOCK, int(memlock[:-1]) * _BYTE_COUNTS[memlock[-1]])
    _lower(resource.RLIMIT_NOFILE, int(service.value("Service", "LimitNOFILE")))
    _lower(resource.RLIMIT_CORE, int(service.value("Service", "LimitCORE")))


def _lower(limit, value):
    hard = resource.getrlimit(limit)[1]
    # Raising the hard limit takes a capability; without it, what there is will do for the check.
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def profile_rules(path):
    return seccomp.profile_rules(json.loads(path.read_text(encoding="utf-8")))


def confine(rules, user):
    """Irrevocably, this process and all that it becomes."""
    _become(user)
    _control(_PR_SET_NO_NEW_PRIVS, 1)
    seccomp.load(*rules)


def main(arguments):
    parser = argparse.ArgumentParser(prog="confinement", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--unit", type=pathlib.Path)
    source.add_argument("--profile", type=pathlib.Path)
    parser.add_argument("--user", type=int, default=10001)
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args(arguments)
    if options.unit:
        _limit(options.unit)
        # MemoryDenyWriteExecute=; kernels before 6.3 have no such switch.
        _control(_PR_SET_MDWE, _PR_MDWE_REFUSE_EXEC_GAIN, may_fail=True)
        confine(seccomp.allow_only(unit.Unit(options.unit).allowed_calls()), options.user)
    else:
        confine(profile_rules(options.profile), options.user)
    os.execvp(options.command[0], options.command)


if __name__ == "__main__":
    main(sys.argv[1:])
