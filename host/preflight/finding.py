"""A finding of the preflight: a stable id, its severity, the observation, and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """An error keeps a node from working; a warning may cause trouble later."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """`id` never changes its meaning: scripts ignore findings by their ids."""

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
    ids = set(ignored)
    bad = [finding for finding in findings if finding.severity is Severity.ERROR]
    return [] if "all" in ids else [finding for finding in bad if finding.id not in ids]


def text(findings: Iterable[Finding]) -> str:
    """Two lines for each finding, errors first."""
    ordered = sorted(findings, key=lambda finding: finding.severity is not Severity.ERROR)
    return "\n".join(
        f"{entry.severity.upper():7} {entry.id}: {entry.seen}\n        → {entry.remedy}" for entry in ordered
    )
