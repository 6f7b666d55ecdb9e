"""Starts and ends `apus-admin-rig`: a server with admin listeners, under load."""

import pathlib
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Rig:
    """Runs while its block does; `admin`, `packet` and `control` are its addresses."""

    def __init__(self, path: pathlib.Path) -> None:
        self._process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        addresses = dict(self._process.stdout.readline().split() for _ in range(3))
        self.packet, self.admin, self.control = (addresses[name] for name in ("packet", "admin", "control"))

    @staticmethod
    def build() -> pathlib.Path:
        subprocess.run([ROOT / "tools/build", "-c", "release", "--product", "apus-admin-rig"], check=True)
        return ROOT / ".build/release/apus-admin-rig"

    def stop(self) -> None:
        if self._process.poll() is None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=30)

    def __enter__(self) -> "Rig":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
