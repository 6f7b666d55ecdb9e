"""A systemd unit as assignments, and the system calls that its filter lets through."""

import pathlib
import subprocess

_NAMESPACE_CALLS = {"setns", "unshare"}


class Unit:
    """`[Section]` and `Key=Value`, in the order of the file; a key may come several times."""

    def __init__(self, path):
        self.assignments = []
        section = None
        for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith(("#", ";")):
                key, value = line.split("=", 1)
                self.assignments.append((section, key, value))

    def values(self, section, key):
        return [value for where, name, value in self.assignments if (where, name) == (section, key)]

    def value(self, section, key):
        """The last one, which is the one that holds; None if there is none."""
        return next(reversed(self.values(section, key)), None)

    def allowed_calls(self):
        """The names that `SystemCallFilter=` lets through, with every group taken apart."""
        groups = _groups()
        allowed = set(groups["@default"])
        for value in self.values("Service", "SystemCallFilter"):
            names = set().union(*(_expanded(word, groups) for word in value.removeprefix("~").split()))
            allowed = allowed - names if value.startswith("~") else allowed | names
        # systemd looks at the flags of clone, too; for the check it will do that these two fail.
        return allowed - _NAMESPACE_CALLS if self.value("Service", "RestrictNamespaces") == "yes" else allowed


def _groups():
    """Each group that systemd knows, with the names and groups in it."""
    listing = subprocess.run(
        ["systemd-analyze", "--no-pager", "syscall-filter"], capture_output=True, text=True, check=True
    ).stdout
    groups = {}
    for line in listing.splitlines():
        if line.startswith("@"):
            members = groups.setdefault(line.strip(), [])
        elif line.startswith(" ") and not line.strip().startswith("#"):
            members.append(line.strip())
        elif line.startswith("#"):
            members = []  # What the kernel knows and no group has; not a group.
    return groups


def _expanded(word, groups):
    if not word.startswith("@"):
        return {word}
    return set().union(*(_expanded(member, groups) for member in groups[word]))
