"""A decision of the node that a pod has ended. It outlives the agent: the pod never runs again on this node.

Without it, an agent that is restarted while the master is away would run the pod again, as its containers do not show
the decision.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from agent.model import PodPhase


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase in which the pod has ended, a word in CamelCase for programs, and a sentence for people."""

    phase: PodPhase
    reason: str
    message: str

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str | bytes) -> Verdict:
        """Raises ValueError."""
        try:
            value = json.loads(text)
            return cls(PodPhase(value["phase"]), str(value["reason"]), str(value["message"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a verdict: {error}") from error


DEADLINE_EXCEEDED = Verdict(
    PodPhase.FAILED, "DeadlineExceeded", "The pod was active for longer than its activeDeadlineSeconds."
)
