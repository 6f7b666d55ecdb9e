"""What a rule reports: a place, the rule's name, and what to do."""

from typing import NamedTuple


class Finding(NamedTuple):
    path: str
    line: int
    rule: str
    advice: str
    is_warning: bool = False

    def __str__(self):
        rule = f"warning: {self.rule}" if self.is_warning else self.rule
        return f"{self.path}:{self.line}: {rule}: {self.advice}"
