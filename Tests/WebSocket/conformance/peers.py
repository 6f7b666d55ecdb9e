"""Independent peers that talk to our echo, and one that ours talks to."""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

from npro.rig import Failed, Skipped, require

PROGRAMS = pathlib.Path(__file__).parent / "programs"
ROOT = pathlib.Path(__file__).resolve().parents[3]
PEER_SECONDS_MAX = 60
LIBWEBSOCKETS_SECONDS = 2


def play(report, echo, ours, theirs, python):
    """`python` has `websockets` and `wsproto`; None where they cannot be had."""
    for name in ("websockets", "wsproto"):
        program = PROGRAMS / f"{name}_client.py"
        report.play(f"client: {name}", lambda program=program: _run(_needed(python), program, ours.text))
    report.play("server: websockets, with our client", lambda: _connect(echo, theirs))
    report.play("client: libwebsockets", lambda: _libwebsockets(ours))
    report.play("client: headless Chromium", lambda: _browser(ours))


def _needed(python):
    if python is None:
        raise Skipped("Python's websockets and wsproto are not installed: the reason is above")
    return python


def _run(*command):
    ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False,
                           timeout=PEER_SECONDS_MAX)
    require(ended.returncode == 0, f"exit code {ended.returncode}: {(ended.stderr or ended.stdout).strip()[-600:]}")
    return ended.stdout


def _connect(echo, theirs):
    if theirs is None:
        raise Skipped("Python's websockets is not installed: the reason is above")
    require("18 messages came back" in _run(echo, "connect", theirs.text, "/echo"), "not all came back")


def _libwebsockets(ours):
    """Its test client draws circles and sends each to a server that mirrors it. What its own log says it has read
    has to be what it says it has written, in the same order, but for what was under way when it was ended."""
    program = shutil.which("libwebsockets-test-client")
    if program is None:
        raise Skipped("Debian's libwebsockets-test-server is not installed: tools/prepare libwebsockets-test-server")
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([program, "-d", "1151", "-l", f"ws://{ours.text}/echo"], stdout=log, stderr=log)
        time.sleep(LIBWEBSOCKETS_SECONDS)
        process.terminate()
        process.wait(PEER_SECONDS_MAX)
        log.seek(0)
        said = log.read().decode(errors="replace")
    # Two bytes of header and four of mask; only frames are that short.
    written = [int(size) - 6 for size in re.findall(r"ssl_capable_write \((\d{2})\) says \1", said)]
    read = [int(size) for size in re.findall(r"starting disbursal of (\d+) deframed rx", said)]
    require(len(read) > 100, f"only {len(read)} came back: {said[-1500:]}")
    wrong = next((index for index, size in enumerate(read) if written[index:index + 1] != [size]), None)
    require(wrong is None, f"frame {wrong} of {len(written)} came back otherwise, behind it {len(read)}")


SCRIPT = """
window.outcome = "waiting";
(() => {
  const sizes = [0, 1, 125, 126, 65535, 65536, 1048576];
  const socket = new WebSocket("ws://ADDRESS/echo", []);
  socket.binaryType = "arraybuffer";
  let sent = 0, wanted;
  const next = () => {
    if (sent === 2 * sizes.length) return socket.close(3001, "enough");
    const size = sizes[sent >> 1];
    wanted = sent++ % 2 ? new Uint8Array(size).fill(254) : "é".repeat(size);
    socket.send(wanted);
  };
  const isSame = (one) => typeof wanted === "string" ? one === wanted
    : one.byteLength === wanted.length && new Uint8Array(one).every((byte) => byte === 254);
  socket.onopen = next;
  socket.onmessage = (event) => {
    if (!isSame(event.data)) { window.outcome = "other bytes came back"; socket.close(); } else next();
  };
  socket.onclose = (event) => {
    if (window.outcome === "waiting")
      window.outcome = [event.wasClean, event.code, socket.extensions, socket.protocol, sent].join(" ");
  };
})();
"""


def _browser(ours):
    sys.path.insert(0, str(ROOT / "Tests/Admin"))
    from browser import Browser, find_browser

    if (path := find_browser()) is None:
        raise Skipped("there is no Chromium: tools/prepare chromium")
    with Browser(path) as browser:
        browser.evaluate(SCRIPT.replace("ADDRESS", ours.text))
        deadline = time.monotonic() + PEER_SECONDS_MAX
        while (outcome := browser.evaluate("window.outcome")) == "waiting":
            if time.monotonic() > deadline:
                raise Failed("the browser still waits")
            time.sleep(0.1)
    require(outcome == "true 3001   14", f"the browser saw: {outcome}")
