"""The seccomp profile of the container: what container engines let through anyway, and io_uring.

    profile make DEFAULT           print the profile made from an engine's default profile
    profile check PROFILE DEFAULT  it is what `make` prints, it is well formed, and libseccomp knows its names

The default is that of Debian's package golang-github-containers-common. Its conditions (on capabilities and
architectures) are resolved here, for a process without capabilities on amd64 or arm64, since containerd and the kubelet
read only the flat form of the OCI specification.
"""

import errno
import json
import pathlib
import sys

from . import report, seccomp

DEFAULT_PATH = pathlib.Path("/usr/share/containers/seccomp.json")
# One to set up a ring, one per turn of a loop, one to enable rings and to register what they use.
RING_CALLS = ["io_uring_enter", "io_uring_register", "io_uring_setup"]
_ARCHITECTURES = ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]
_OUR_ARCHITECTURES = {"amd64", "arm64"}
# What the default lets through and a relay never asks for: name spaces and mounts (for containers in containers),
# looking into other processes, and keys that outlive it.
_WITHHELD = set(
    """
    add_key clone clone3 fsconfig fsmount fsopen fspick keyctl memfd_secret mount mount_setattr move_mount open_tree
    pidfd_getfd pivot_root process_vm_readv process_vm_writev ptrace reboot request_key setns umount umount2 unshare
    userfaultfd
    """.split()
)
_NEVER = _WITHHELD | {"bpf", "chroot", "kexec_load", "init_module", "perf_event_open"}
# A thread or a process, but no name space; clone3 keeps its flags where no filter can see them, so glibc is told to go
# on with clone. Docker's profile says the same.
_NAMESPACE_FLAGS = 0x7E020000
_THREADS = [
    {
        "names": ["clone"],
        "action": "SCMP_ACT_ALLOW",
        "args": [{"index": 0, "value": _NAMESPACE_FLAGS, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
    },
    {"names": ["clone3"], "action": "SCMP_ACT_ERRNO", "errnoRet": errno.ENOSYS},
]


def make(default):
    entries = [_flat(entry) for entry in default["syscalls"] if _applies(entry)]
    rings = {"names": RING_CALLS, "action": "SCMP_ACT_ALLOW"}
    return {
        "defaultAction": default["defaultAction"],
        "defaultErrnoRet": default["defaultErrnoRet"],
        "architectures": _ARCHITECTURES,
        "syscalls": [rings, *_THREADS, *(entry for entry in entries if entry["names"])],
    }


def _applies(entry):
    """Whether the entry holds for a process without capabilities on one of our architectures."""
    includes, excludes = entry.get("includes") or {}, entry.get("excludes") or {}
    if includes.get("caps"):
        return False
    if includes.get("arches") and not _OUR_ARCHITECTURES & set(includes["arches"]):
        return False
    return not _OUR_ARCHITECTURES <= set(excludes.get("arches") or [])


def _flat(entry):
    allowed = entry["action"] == "SCMP_ACT_ALLOW"
    withheld = _WITHHELD | set(RING_CALLS) if allowed else set()
    flat = {"names": sorted(set(entry["names"]) - withheld), "action": entry["action"]}
    if entry.get("args"):
        flat["args"] = [{key: each[key] for key in ("index", "value", "valueTwo", "op")} for each in entry["args"]]
    if entry.get("errnoRet"):
        flat["errnoRet"] = entry["errnoRet"]
    return flat


def printed(profile):
    return json.dumps(profile, indent=2) + "\n"


# --- check ------------------------------------------------------------------------------------------------------------

_KEYS = {"defaultAction", "defaultErrnoRet", "architectures", "syscalls"}
_ENTRY_KEYS = {"names", "action", "args", "errnoRet"}
_ARGUMENT_TYPES = {"index": int, "value": int, "valueTwo": int, "op": str}


def check_shape(profile, outcome):
    outcome.confirm(set(profile) == _KEYS, f"keys {sorted(profile)}: the OCI form has {sorted(_KEYS)}")
    outcome.confirm(profile["defaultAction"] == "SCMP_ACT_ERRNO", f"by default: {profile['defaultAction']}")
    for entry in profile["syscalls"]:
        outcome.confirm(set(entry) <= _ENTRY_KEYS, f"{entry['names'][:3]}: unknown keys {set(entry) - _ENTRY_KEYS}")
        outcome.confirm(entry["action"] in seccomp.ACTIONS, f"{entry['names'][:3]}: action {entry['action']}")
        outcome.confirm(entry["names"], "an entry without names")
        for argument in entry.get("args", []):
            well = all(isinstance(argument.get(key), kind) for key, kind in _ARGUMENT_TYPES.items())
            outcome.confirm(well and len(argument) == 4, f"{entry['names'][:3]}: argument {argument}")


def check_names(profile, outcome):
    names = [name for entry in profile["syscalls"] for name in entry["names"]]
    unknown = sorted(name for name in set(names) if not seccomp.is_known(name))
    # libseccomp in Debian 12 is older than some calls, whose absence changes nothing: they are refused then.
    outcome.note(f"{len(set(names))} names; libseccomp here lacks {', '.join(unknown) or 'none'}")
    outcome.confirm(len(unknown) <= len(names) // 20, f"too many names that libseccomp does not know: {unknown}")
    outcome.confirm(not set(unknown) & set(RING_CALLS), "libseccomp does not know io_uring")
    outcome.confirm(not seccomp.is_known("io_uring_planted"), "a planted name is known")


def check_grants(profile, outcome):
    allowed = {
        name
        for entry in profile["syscalls"]
        if entry["action"] == "SCMP_ACT_ALLOW" and not entry.get("args")
        for name in entry["names"]
    }
    outcome.confirm(set(RING_CALLS) <= allowed, "io_uring is not let through")
    outcome.confirm(not allowed & _NEVER, f"let through: {sorted(allowed & _NEVER)}")


def main():
    action, *paths = sys.argv[1:]
    if action == "make":
        sys.stdout.write(printed(make(json.loads(pathlib.Path(paths[0]).read_text(encoding="utf-8")))))
        return
    outcome = report.Report("seccomp profile")
    text = pathlib.Path(paths[0]).read_text(encoding="utf-8")
    profile = json.loads(text)
    check_shape(profile, outcome)
    check_names(profile, outcome)
    check_grants(profile, outcome)
    if len(paths) > 1:
        made = printed(make(json.loads(pathlib.Path(paths[1]).read_text(encoding="utf-8"))))
        outcome.confirm(made == text, f"{paths[0]} is not what `profile make {paths[1]}` prints: make it anew")
    outcome.end()


if __name__ == "__main__":
    main()
