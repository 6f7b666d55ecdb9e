"""The container's health check against a server that is well, one that is not, one that hangs, and none.

    healthy SCRIPT
"""

import http.server
import os
import subprocess
import sys
import threading

from . import report


class _Probe(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.server.is_hanging:
            self.server.released.wait(10)
        self.send_response(self.server.status if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, format, *arguments):
        """Says nothing: each probe would be a line."""


def _exit_code(script, status=200, is_hanging=False, variable=None, address="127.0.0.1:%d"):
    """`variable`: the relay's, that says where it is asked."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Probe)
    server.status, server.is_hanging, server.released = status, is_hanging, threading.Event()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        port = server.server_address[1]
        command = [script, "relay"] if variable else [script, "127.0.0.1", str(port)]
        environment = os.environ | ({variable: address % port} if variable else {})
        return subprocess.run(command, env=environment, capture_output=True, timeout=10, check=False).returncode
    finally:
        server.released.set()
        server.shutdown()
        server.server_close()


def main():
    outcome = report.Report("container/healthy")
    script = sys.argv[1]
    outcome.confirm(_exit_code(script) == 0, "a server that is well is called ill")
    outcome.confirm(_exit_code(script, status=503) == 1, "a server that answers 503 is called well")
    outcome.confirm(_exit_code(script, is_hanging=True) != 0, "a server that does not answer is called well")
    nobody = subprocess.run([script, "127.0.0.1", "1"], capture_output=True, timeout=10, check=False)
    outcome.confirm(nobody.returncode == 1, "where nobody listens, it is called well")
    for variable in ("NB_HEALTH_LISTEN_ADDRESS", "OZ_HEALTH_LISTEN_ADDRESS"):
        for address in (":%d", "0.0.0.0:%d", "127.0.0.1:%d", "localhost:%d"):
            told = _exit_code(script, variable=variable, address=address)
            outcome.confirm(told == 0, f"a relay that is well is called ill where {variable} is {address}")
        ill = _exit_code(script, status=503, variable=variable)
        outcome.confirm(ill == 1, f"a relay that answers 503 where {variable} says is called well")
    outcome.end()


if __name__ == "__main__":
    main()
