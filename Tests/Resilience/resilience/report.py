"""What passed, what failed, what could not be tried here."""

import re
import time
import traceback


class Failed(Exception):
    """What was expected and what came."""


class Skipped(Exception):
    """A case cannot be played here: why."""


def require(condition, complaint):
    if not condition:
        raise Failed(complaint)


def eventually(condition, complaint, seconds=20.0):
    """Returns as soon as the condition holds, with what it gave."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        require(time.monotonic() < deadline, complaint() if callable(complaint) else complaint)
        time.sleep(0.05)
    return found


class Report:
    def __init__(self, only="", is_strict=False):
        self.only, self.is_strict = re.compile(only), is_strict
        self.passed, self.failed, self.skipped = 0, [], []

    def play(self, name, run):
        if not self.only.search(name):
            return
        started = time.monotonic()
        try:
            run()
        except Skipped as reason:
            self.skipped.append(name)
            print(f"SKIPPED  {name}: {reason}", flush=True)
        except Failed as reason:
            self.failed.append(name)
            print(f"FAILED   {name}: {reason}", flush=True)
        except Exception:  # a mistake of these tests; the other cases go on
            self.failed.append(name)
            print(f"FAILED   {name}: {traceback.format_exc()}", flush=True)
        else:
            self.passed += 1
            print(f"passed   {name} ({time.monotonic() - started:.1f} s)", flush=True)

    def note(self, text):
        print(f"         {text}", flush=True)

    def conclude(self):
        print(f"{self.passed} passed, {len(self.failed)} failed, {len(self.skipped)} skipped")
        return 1 if self.failed or (self.is_strict and self.skipped) else 0
