"""System-call filters by way of libseccomp: names become numbers, a profile becomes a filter of this process.

Knows the flat form that OCI run-times read: `defaultAction`, `defaultErrnoRet`, and `syscalls` of names, action and
arguments. Never edits a profile; `profile.py` makes the one that is shipped.
"""

import ctypes
import errno
import functools
import os
from typing import NamedTuple

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_UNKNOWN_CALL = -1  # __NR_SCMP_ERROR: a name that no architecture has.
_COMPARISONS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
ACTIONS = {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}


class _Comparison(ctypes.Structure):
    _fields_ = [
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("value_two", ctypes.c_uint64),
    ]


@functools.cache
def load_library():
    """Once; whoever changes its root calls it before."""
    library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_syscall_resolve_name.argtypes = [ctypes.c_char_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Comparison),
    ]
    return library


class Rule(NamedTuple):
    name: str
    action: int
    comparisons: tuple = ()


def is_known(name):
    """Whether libseccomp knows a system call of this name, on whatever architecture."""
    return load_library().seccomp_syscall_resolve_name(name.encode()) != _UNKNOWN_CALL


def action_number(action, errno_number):
    return _ALLOW if action == "SCMP_ACT_ALLOW" else _ERRNO | errno_number


def profile_rules(profile):
    """The default action and the rules of a profile in flat form."""
    default_errno = profile.get("defaultErrnoRet", errno.EPERM)
    default = action_number(profile["defaultAction"], default_errno)
    rules = []
    for entry in profile["syscalls"]:
        action = action_number(entry["action"], entry.get("errnoRet", errno.EPERM))
        comparisons = tuple(
            _Comparison(each["index"], _COMPARISONS[each["op"]], each["value"], each.get("valueTwo", 0))
            for each in entry.get("args", [])
        )
        rules += [Rule(name, action, comparisons) for name in entry["names"]]
    return default, rules


def allow_only(names):
    """The default action and the rules of a list of names, as systemd applies SystemCallErrorNumber=EPERM."""
    return _ERRNO | errno.EPERM, [Rule(name, _ALLOW) for name in sorted(names)]


def load(default, rules):
    """From here on the filter holds for this process and what it executes. Needs no_new_privs to be set."""
    library = load_library()
    context = library.seccomp_init(default)
    if not context:
        raise OSError("libseccomp has no memory for a filter")
    for rule in rules:
        _add(library, context, rule, default)
    code = library.seccomp_load(context)
    library.seccomp_release(context)
    if code != 0:
        raise OSError(-code, f"the filter cannot be loaded: {os.strerror(-code)}")


def _add(library, context, rule, default):
    number = library.seccomp_syscall_resolve_name(rule.name.encode())
    # A negative number is a call that this architecture does not have: there is nothing to let through or to refuse.
    if number < 0 or rule.action == default:
        return
    array = (_Comparison * len(rule.comparisons))(*rule.comparisons)
    code = library.seccomp_rule_add_array(context, rule.action, number, len(array), array)
    if code != 0:
        raise OSError(-code, f"no rule can be made for {rule.name}: {os.strerror(-code)}")
