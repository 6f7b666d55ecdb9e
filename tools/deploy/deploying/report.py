"""What a check found: complaints are printed as they come, and decide the exit code in the end."""

import sys

SKIPPED = 77  # The exit code that means: nothing was checked, and the last line says why.


class Report:
    def __init__(self, name):
        self.name = name
        self.checks = 0
        self.complaints = 0

    def confirm(self, holds, complaint):
        """Counts one check. The complaint says what, where and what to do."""
        self.checks += 1
        if not holds:
            self.complaints += 1
            print(f"{self.name}: {complaint}", file=sys.stderr, flush=True)
        return bool(holds)

    def note(self, text):
        print(f"{self.name}: {text}", flush=True)

    def end(self):
        """Leaves with 0 or 1; a check that looked at nothing has failed."""
        if self.checks == 0:
            self.confirm(False, "nothing was checked")
        print(f"{self.name}: {self.checks} checks, {self.complaints} to mend", flush=True)
        sys.exit(1 if self.complaints else 0)


def skip(name, reason):
    print(f"{name}: SKIPPED: {reason}", flush=True)
    sys.exit(SKIPPED)
