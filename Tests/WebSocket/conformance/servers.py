"""The two servers under test, each a process that ends when its standard input does."""

import re
import subprocess
import threading

READY = re.compile(r"listening on 127\.0\.0\.1:(\d+)")
START_SECONDS_MAX, STOP_SECONDS_MAX = 20, 15


class EchoServer:
    """Runs while its block does; `address` is a pair."""

    def __init__(self, *command):
        self.command = [str(word) for word in command]

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        watch = threading.Timer(START_SECONDS_MAX, self.process.kill)
        watch.start()
        line = self.process.stdout.readline()
        watch.cancel()
        if not (ready := READY.search(line)):
            self.__exit__()
            raise OSError(f"{' '.join(self.command)} did not come up: {line!r}")
        self.address = ("127.0.0.1", int(ready[1]))
        return self

    @property
    def text(self):
        return f"{self.address[0]}:{self.address[1]}"

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
