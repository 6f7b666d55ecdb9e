"""A terminal of any size, with a shell in it: tmux on a socket of its own."""

import os
import pathlib
import subprocess
import time
from collections.abc import Callable

from .report import Unmet

PATIENCE_SECONDS = 20
_PROMPT = "ready>"


class Terminal:
    def __init__(self, folder: pathlib.Path, width: int = 100, height: int = 30):
        self._socket = folder / "tmux.sock"
        environment = {key: text for key, text in os.environ.items() if key not in ("TMUX", "NO_COLOR")}
        environment |= {"LC_ALL": "C.UTF-8"}
        size = ["-x", str(width), "-y", str(height)]
        command = ["tmux", "-S", str(self._socket), "-f", os.devnull, "new-session", "-d", *size, "/bin/sh"]
        subprocess.run(command, env=environment, check=True, timeout=PATIENCE_SECONDS)
        # A prompt of our own: the shell's depends on who runs it.
        self.enter(f"PS1='{_PROMPT} '; clear")

    def await_prompt(self, *words: str) -> None:
        """Until the shell reads again, with `words` on the screen: what is typed before has no place of its own."""

        def holds(text: str) -> bool:
            return text.rstrip().endswith(_PROMPT) and all(word in text for word in words)

        self.await_screen("the prompt", holds)

    def close(self) -> None:
        self._tmux("kill-server")

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-S", str(self._socket), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS).stdout

    def type(self, text: str) -> None:
        self._tmux("send-keys", "-l", text)

    def press(self, key: str) -> None:
        self._tmux("send-keys", key)

    def enter(self, command: str) -> None:
        self.type(command)
        self.press("Enter")

    def resize(self, width: int, height: int) -> None:
        self._tmux("resize-window", "-x", str(width), "-y", str(height))

    def screen(self, *flags: str) -> str:
        return self._tmux("capture-pane", "-p", *flags)

    def flag(self, name: str) -> str:
        return self._tmux("display-message", "-p", f"#{{{name}}}").strip()

    def process_below(self) -> int:
        """The program that runs in the shell."""
        shell = self.flag("pane_pid")
        children = pathlib.Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        if not children:
            raise Unmet("nothing runs in the shell")
        return int(children[0])

    def await_screen(self, what: str, holds: Callable[[str], bool]) -> str:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            text = self.screen()
            if holds(text):
                return text
            if time.monotonic() > end:
                raise Unmet(f"{what} did not come; the screen shows:\n{text}")
            time.sleep(0.05)
