"""One thing that was found: a stable id, how bad it is, what was seen, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error keeps a node from working; a warning is something that people will ask about later."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """`id` never changes its meaning: scripts ignore findings by it."""

    id: str
    severity: Severity
    seen: str
    remedy: str

    def document(self) -> Mapping[str, str]:
        """As `-o json` prints it."""
        return {"id": self.id, "severity": str(self.severity), "seen": self.seen, "remedy": self.remedy}


def error(id_: str, seen: str, remedy: str) -> Finding:
    return Finding(id_, Severity.ERROR, seen, remedy)


def warning(id_: str, seen: str, remedy: str) -> Finding:
    return Finding(id_, Severity.WARNING, seen, remedy)


def errors(findings: Iterable[Finding], ignored: Iterable[str] = ()) -> list[Finding]:
    """The errors that are not ignored; `all` ignores every one."""
    without = set(ignored)
    bad = [each for each in findings if each.severity is Severity.ERROR]
    return [] if "all" in without else [each for each in bad if each.id not in without]


def text(findings: Iterable[Finding]) -> str:
    """Two lines each, errors first."""
    ordered = sorted(findings, key=lambda each: each.severity is not Severity.ERROR)
    return "\n".join(f"{each.severity.upper():7} {each.id}: {each.seen}\n        → {each.remedy}" for each in ordered)
