"""The files that tidy reads: what git tracks or would track, as text with a language.

Outside a git repository it is every file below the root that is not a build product.
"""

import functools
import os
import pathlib
import subprocess

from . import blanking

_LANGUAGES = {".swift": "swift", ".c": "c", ".h": "c", ".py": "python", ".sh": "shell", ".md": "prose"}
_NEVER_ENTERED = {".git", ".build", "__pycache__"}


class Source:
    """One text file. `path` is relative to the root, with forward slashes."""

    def __init__(self, path, text):
        self.path = path
        self.text = text
        self.lines = text.split("\n")
        self.language = _language(path, text)

    @functools.cached_property
    def _views(self):
        return blanking.blank_swift(self.text)

    @property
    def code(self):
        """Swift without comments and string literals."""
        return self._views[0]

    @property
    def code_with_strings(self):
        """Swift without comments."""
        return self._views[1]

    def is_below(self, folder):
        return self.path.startswith(folder + "/")


def _language(path, text):
    suffix = pathlib.PurePosixPath(path).suffix
    if suffix in _LANGUAGES:
        return _LANGUAGES[suffix]
    first_line = text.split("\n", 1)[0]
    if first_line.startswith("#!"):
        return "python" if "python" in first_line else "shell"
    return "other"


def sources(root):
    """Every text file of the tree, in the order of its path."""
    read = (_read(root, path) for path in sorted(_paths(root)))
    return [source for source in read if source is not None]


def _read(root, path):
    try:
        content = (pathlib.Path(root) / path).read_bytes()
        return None if b"\0" in content[:8192] else Source(path, content.decode("utf-8"))
    except (FileNotFoundError, IsADirectoryError, UnicodeDecodeError):
        return None  # Deleted but still in git's index, a submodule, or not text.


def _paths(root):
    listing = (
        subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            capture_output=True,
            check=False,
        )
        if (pathlib.Path(root) / ".git").exists()
        else None
    )
    if listing is not None and listing.returncode == 0:
        return {path for path in listing.stdout.decode().split("\0") if path}
    return set(_walk(root))


def _walk(root):
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if name not in _NEVER_ENTERED]
        for name in files:
            yield pathlib.Path(folder, name).relative_to(root).as_posix()
