"""A decision of the node that a pod has ended. It outlives the agent: the pod never runs again on this node.

Without it, an agent that is restarted while the master is away would run the pod again, as its containers do not show
the decision.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.model import PodPhase
from hull import atomicfile


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase in which the pod has ended, a word in CamelCase for programs, and a sentence for people."""

    phase: PodPhase
    reason: str
    message: str


DEADLINE_EXCEEDED = Verdict(
    PodPhase.FAILED, "DeadlineExceeded", "The pod was active for longer than its activeDeadlineSeconds."
)


def save(file: Path, verdict: Verdict) -> None:
    """Write it durably. Raises OSError."""
    atomicfile.write(file, json.dumps(asdict(verdict)))


def load(file: Path) -> Verdict | None:
    """The verdict of this or an earlier agent; None if there is none, or it cannot be read."""
    try:
        value = json.loads(file.read_bytes())
        return Verdict(PodPhase(value["phase"]), str(value["reason"]), str(value["message"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
