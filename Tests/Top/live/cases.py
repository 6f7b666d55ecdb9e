"""The cases: once without a terminal, then live with one."""

import json
import os
import pathlib
import re
import signal
import subprocess

from .report import Report, require
from .status_server import MESSAGES_PER_SECOND, StatusServer
from .terminal import Terminal

_INTERVAL = "200ms"


def play_once(report: Report, apus: pathlib.Path, folder: pathlib.Path) -> None:
    once = Once(apus, folder)
    report.play("once: a plain picture", once.picture)
    report.play("once: figures as JSON", once.figures)
    report.play("once: over a UNIX socket", once.unix_socket)
    report.play("once: nobody there", once.nobody)
    report.play("once: no admin endpoint", once.stranger)
    report.play("live: needs a terminal", once.no_terminal)


def play_live(report: Report, apus: pathlib.Path, folder: pathlib.Path) -> None:
    server = StatusServer()
    terminal = Terminal(folder)
    try:
        live = Live(apus, server, terminal)
        report.play("live: figures move", live.figures)
        report.play("live: keys order connections", live.order)
        report.play("live: pausing", live.pause)
        report.play("live: resizing", live.resize)
        report.play("live: the server goes and comes back", live.gone)
        report.play("live: q gives the screen back", live.quit)
        report.play("live: Ctrl-C gives the screen back", live.interrupt)
        report.play("live: SIGTERM gives the screen back", live.terminate)
        report.play("live: NO_COLOR", live.no_colour)
    finally:
        terminal.close()
        server.stop()


class Once:
    def __init__(self, apus: pathlib.Path, folder: pathlib.Path):
        self._apus = apus
        self._folder = folder

    def _top(self, address: str, *flags: str, code: int = 0) -> subprocess.CompletedProcess:
        command = [str(self._apus), "top", "--address", address, "--interval", _INTERVAL, *flags]
        finished = subprocess.run(
            command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30, check=False
        )
        require(finished.returncode == code, f"exit code {finished.returncode}, not {code}: {finished.stderr}")
        return finished

    def picture(self) -> None:
        server = StatusServer()
        text = self._top(server.address, "--once").stdout
        server.stop()
        require("\x1b" not in text and "\r" not in text, f"control codes: {text!r}")
        for words in ("apus 9.8.7", "ready", "LOOP", "LISTENER", "queue_full", "10.0.0.1:1111", "50 % resumed"):
            require(words in text, f"no {words!r} in:\n{text}")

    def figures(self) -> None:
        server = StatusServer()
        figures = json.loads(self._top(server.address, "--once", "--json").stdout)
        server.stop()
        rate = figures["messages_per_second"]
        # Two clocks are read, and the machine is busy.
        require(abs(rate / MESSAGES_PER_SECOND - 1) < 0.5, f"{rate} messages/s")
        require(figures["service"]["p50_seconds"] < 0.0001, "p50 lies in the first bucket")
        require([loop["loop"] for loop in figures["loops"]] == [0, 1, 2, 3], "four loops")

    def unix_socket(self) -> None:
        server = StatusServer(self._folder / "admin.sock")
        text = self._top(server.address, "--once").stdout
        server.stop()
        require(server.address in text, f"no address in:\n{text}")

    def nobody(self) -> None:
        finished = self._top("127.0.0.1:1", "--once", code=1)
        require("Connection refused" in finished.stderr, finished.stderr)
        self._top("nowhere", "--once", code=3)

    def stranger(self) -> None:
        server = StatusServer()
        server.status = lambda: ["no", "status"]
        finished = self._top(server.address, "--once", code=1)
        server.stop()
        require("no JSON object" in finished.stderr, finished.stderr)

    def no_terminal(self) -> None:
        require("--once" in self._top("127.0.0.1:1", code=2).stderr, "the advice")


def _last(text: str) -> str:
    return text.rstrip("\n").split("\n")[-1]


def _fills(text: str, height: int) -> bool:
    return text.startswith("apus 9.8.7") and len(text.rstrip("\n").split("\n")) == height


class Live:
    """Each case finds the live view running and leaves it so, but for those that quit it."""

    def __init__(self, apus: pathlib.Path, server: StatusServer, terminal: Terminal):
        self._server = server
        self._terminal = terminal
        self._command = f"{apus.resolve()} top --address {server.address} --interval {_INTERVAL}"
        terminal.await_prompt()
        terminal.enter("clear; echo before")
        terminal.await_prompt("before")
        self._start()

    def _start(self, variables: str = "") -> None:
        self._terminal.enter(f"{variables} {self._command}")
        self._terminal.await_screen("the view", lambda text: "LOOP" in text)

    def figures(self) -> None:
        pattern = re.compile(r"messages (\d+(?:\.\d+)?k?)/s")
        text = self._terminal.await_screen("a rate", lambda text: bool(pattern.search(text)))
        for words in ("apus 9.8.7", "serving", "ready", "[###############.....]", "queue_full", "q quit"):
            self._terminal.await_screen(words, lambda text, words=words: words in text)
        require("p99 " in text, f"no quantile in:\n{text}")
        require(self._terminal.flag("alternate_on") == "1", "the other screen")
        require(self._terminal.flag("cursor_flag") == "0", "no cursor")

    def order(self) -> None:
        self._terminal.press("w")
        self._terminal.await_screen("the order by queue", lambda text: "PEER BY QUEUE" in text and "10.0.0.2" in text)
        self._terminal.press("b")
        self._terminal.await_screen("the order by bytes", lambda text: "PEER BY BYTES" in text and "10.0.0.1" in text)

    def pause(self) -> None:
        self._terminal.press("p")
        frozen = self._terminal.await_screen("a pause", lambda text: "PAUSED" in text)
        answers = self._server.answers
        self._terminal.await_screen("more answers", lambda _: self._server.answers >= answers + 3)
        require(self._terminal.screen() == frozen, "the picture moved")
        self._terminal.press("p")
        self._terminal.await_screen("new figures", lambda text: "PAUSED" not in text)

    def resize(self) -> None:
        keys = "q quit  b by bytes  w by waiting bytes  p pause"
        feet = ((46, 9, f"{keys[:44]}.."), (20, 4, "service p50"), (140, 45, keys), (100, 30, keys))
        for width, height, foot in feet:
            self._terminal.resize(width, height)
            self._terminal.await_screen(
                f"a picture of {width} x {height}",
                lambda text, height=height, foot=foot: _fills(text, height) and _last(text).startswith(foot),
            )
        self._terminal.await_screen("all of it again", lambda text: "LISTENER" in text and "q quit" in text)

    def gone(self) -> None:
        self._server.stop()
        self._terminal.await_screen("the reason", lambda text: "Connection refused; trying again" in text)
        require("LOOP" in self._terminal.screen(), "the last figures stay")
        self._server.start()
        self._terminal.await_screen("an answer", lambda text: "trying again" not in text)

    def _require_given_back(self) -> None:
        self._terminal.await_prompt("before")
        require("LOOP" not in self._terminal.screen(), "the picture is gone")
        self._terminal.enter("echo af''ter")
        # Typed text is seen again, lines end as they should, and so does the cursor.
        self._terminal.await_screen("an echo", lambda text: "echo af''ter\nafter\nready>" in text)
        require(self._terminal.flag("alternate_on") == "0", "the first screen")
        require(self._terminal.flag("cursor_flag") == "1", "the cursor")
        self._terminal.await_prompt()
        self._terminal.enter("clear; echo before")
        self._terminal.await_prompt("before")

    def quit(self) -> None:
        self._terminal.press("q")
        self._require_given_back()

    def interrupt(self) -> None:
        self._start()
        self._terminal.press("C-c")
        self._require_given_back()

    def terminate(self) -> None:
        self._start()
        os.kill(self._terminal.process_below(), signal.SIGTERM)
        self._require_given_back()

    def no_colour(self) -> None:
        self._start()
        require("\x1b[7m" in self._terminal.screen("-e"), "headings stand out")
        self._terminal.press("q")
        self._require_given_back()
        self._start("NO_COLOR=1")
        require("\x1b[" not in self._terminal.screen("-e"), "no codes at all")
        self._terminal.press("q")
        self._require_given_back()
