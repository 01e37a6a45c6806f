"""The conditions of a pod in the words of the kubelet."""

from __future__ import annotations

import pytest

from agent.model import PodPhase
from agent.pods.conditions import conditions
from tests.unit.agent.pods.bed import pod


@pytest.mark.parametrize(
    ("phase", "initialized", "ready"),
    [
        (PodPhase.RUNNING, ("True", ""), ("True", "")),
        (PodPhase.SUCCEEDED, ("True", "PodCompleted"), ("False", "PodCompleted")),
        (PodPhase.FAILED, ("True", ""), ("False", "PodFailed")),
    ],
)
def test_the_reasons_of_a_pod_that_has_ended(
    phase: PodPhase, initialized: tuple[str, str], ready: tuple[str, str]
) -> None:
    shown = conditions(
        pod(),
        phase,
        connected=True,
        incomplete=None,
        lasting=(),
        restarting=False,
        verdict=None,
        now=5.0,
        previous=None,
    )
    reasons = {each.type: (each.status, each.reason) for each in shown}
    assert reasons["Initialized"] == initialized
    assert reasons["Ready"] == reasons["ContainersReady"] == ready
