"""The events that name an item of the desired state which the agent refused. A pure function."""

from __future__ import annotations

from typing import Final

from agent.statuses import Event
from agent.wire.sanity import Refusal

REASON: Final = "FailedValidation"
"""The kubelet's reason for a pod that it does not accept."""


def refusal_event(refusal: Refusal, node: str, now: float) -> Event:
    """An event about the pod, or about the node if another item was refused."""
    message = f"refused by node {node}, and left as it was: {refusal}"
    if not refusal.is_pod:
        return Event("Node", "", node, "", REASON, message, at=now, warning=True)
    return Event("Pod", refusal.namespace, refusal.name, str(refusal.key), REASON, message, at=now, warning=True)
