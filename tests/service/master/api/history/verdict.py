"""What the judges say: each violation names the promise that is broken."""

from __future__ import annotations

from dataclasses import dataclass, field

LOST = "an acknowledged write is lost"
HALF = "a commit is there in part"
STALE = "a stale write was accepted"
UPDATE = "an update of another writer is lost"
REFUSED = "a write was refused without a reason"
TRACE = "a write that was refused has an effect"
UNIQUE = "a unique value has two holders, or none"
UID = "a uid came back, or changed"
GENERATION = "a generation is wrong"
REVISION = "a revision is missing, or went back"
LIST = "a list is not the state at its revision"
GAP = "a watcher missed an event"
DUPLICATE = "a watcher got an event twice"
ORDER = "a watcher got events out of order"
EVENT = "an event is wrong"
BOOKMARK = "a bookmark is wrong"
REPLAY = "a watcher's state is not the list at its revision"


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken promise, and the case."""

    rule: str
    case: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.case}"


@dataclass
class Findings:
    """The violations of a run."""

    violations: list[Violation] = field(default_factory=list)

    def add(self, rule: str, case: str) -> None:
        self.violations.append(Violation(rule, case))

    def expect(self, rule: str, holds: bool, case: str) -> None:
        if not holds:
            self.add(rule, case)
