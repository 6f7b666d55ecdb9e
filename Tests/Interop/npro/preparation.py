"""Installs what the tests use, with the project's own tool. Imports nothing that may be missing."""

import subprocess
import sys


def install(root, packages):
    if subprocess.run([root / "tools/prepare", *packages], stdout=sys.stderr, check=False).returncode != 0:
        sys.exit("run: tools/prepare failed: its message is above")
