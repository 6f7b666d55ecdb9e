"""Cases with their outcome, one line each."""

from collections.abc import Callable


class Unmet(Exception):
    """What was expected and did not come."""


class Report:
    def __init__(self, pattern: str, is_strict: bool):
        self._pattern = pattern
        self._is_strict = is_strict
        self._passed = 0
        self._failed: list[str] = []
        self._skipped: list[str] = []

    def play(self, name: str, case: Callable[[], None]) -> None:
        if self._pattern not in name:
            return
        try:
            case()
        except (Unmet, OSError) as failure:
            self._failed.append(name)
            print(f"FAILED   {name}: {failure}", flush=True)
        else:
            self._passed += 1
            print(f"passed   {name}", flush=True)

    def skip(self, name: str, reason: str) -> None:
        self._skipped.append(name)
        print(f"skipped  {name}: {reason}", flush=True)

    def conclude(self) -> int:
        counts = f"{self._passed} passed, {len(self._failed)} failed, {len(self._skipped)} skipped"
        print(f"Tests/Top: {counts}")
        return 1 if self._failed or (self._is_strict and self._skipped) else 0


def require(condition: bool, what: str) -> None:
    if not condition:
        raise Unmet(what)
