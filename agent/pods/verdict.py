"""A decision of the node that a pod has ended. It outlives the agent: the pod never runs again on this node.

Without it, an agent that is restarted while the master is away would run the pod again, as its containers do not show
the decision.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Final

from agent.model import Pod, PodPhase


@dataclass(frozen=True, slots=True)
class Verdict:
    """The phase in which the pod has ended, a word in CamelCase for programs, and a sentence for people."""

    phase: PodPhase
    reason: str
    message: str
    grace_s: int | None = None
    """The most seconds that its containers get to stop; None: as many as the pod gives them."""
    disruption: str = ""
    """The reason of the condition DisruptionTarget; empty: the pod does not get it."""

    def encode(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def decode(cls, text: str | bytes) -> Verdict:
        """Raises ValueError."""
        try:
            value = json.loads(text)
            grace_s = value.get("grace_s")
            return cls(
                PodPhase(value["phase"]),
                str(value["reason"]),
                str(value["message"]),
                grace_s=None if grace_s is None else int(grace_s),
                disruption=str(value.get("disruption", "")),
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a verdict: {error}") from error


DEADLINE_EXCEEDED = Verdict(
    PodPhase.FAILED, "DeadlineExceeded", "The pod was active for longer than its activeDeadlineSeconds."
)

CRITICAL_PRIORITY: Final = 2_000_000_000
"""The least priority of pods that the cluster itself needs (Kubernetes' SystemCriticalPriority)."""

_EVICTION_GRACE_S: Final = 1
"""The kubelet's, whatever grace period the pod has."""


def evicted(message: str) -> Verdict:
    """The verdict on a pod that has used more than it may."""
    return Verdict(PodPhase.FAILED, "Evicted", message, grace_s=_EVICTION_GRACE_S)


def terminated(grace_s: int) -> Verdict:
    """The verdict on a pod that ends because its node shuts down. The words are the kubelet's."""
    message = "Pod was terminated in response to imminent node shutdown."
    return Verdict(PodPhase.FAILED, "Terminated", message, grace_s=max(1, grace_s), disruption="TerminationByKubelet")


def is_critical(pod: Pod) -> bool:
    """Whether the cluster itself needs the pod: by its priority, it is of one of Kubernetes' two critical classes."""
    return pod.priority >= CRITICAL_PRIORITY
