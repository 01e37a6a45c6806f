"""Readiness gates: the condition Ready follows the conditions that a pod's gates name."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds import POD
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodCondition, PodReadinessGate, PodSpec, PodStatus
from master.kinds.core.pod.readiness import gated
from master.objects.meta import ObjectMeta

NOW = datetime(2026, 11, 29, 10, tzinfo=UTC)
EARLIER, LATER = "2026-11-29T09:00:00Z", "2026-11-29T10:00:00Z"
GATES = ("example.com/one", "example.com/two")
MISSING = 'corresponding condition of pod readiness gate "{}" does not exist.'
NOT_TRUE = 'the status of pod readiness gate "{}" is not "True", but {}'


def spec(*gates: str) -> PodSpec:
    return PodSpec(
        containers=(Container(name="c", image="i"),),
        readiness_gates=tuple(PodReadinessGate(condition_type=gate) for gate in gates),
    )


def status(**conditions: str) -> PodStatus:
    """A status with these conditions; a name in lower case is that of a gate."""
    named = {f"example.com/{name}" if name.islower() else name: value for name, value in conditions.items()}
    return PodStatus(
        conditions=tuple(
            PodCondition(type=name, status=value, last_transition_time=EARLIER) for name, value in named.items()
        )
    )


def ready(of: PodStatus) -> PodCondition:
    (found,) = [condition for condition in of.conditions if condition.type == "Ready"]
    return found


@pytest.mark.parametrize(
    ("conditions", "expected", "message"),
    [
        pytest.param({"one": "True", "two": "True"}, "True", "", id="all are true"),
        pytest.param({"one": "True"}, "False", MISSING.format(GATES[1]), id="one is missing"),
        pytest.param({"one": "True", "two": "False"}, "False", NOT_TRUE.format(GATES[1], "False"), id="one is false"),
        pytest.param(
            {"one": "Unknown"},
            "False",
            f"{NOT_TRUE.format(GATES[0], 'Unknown')}, {MISSING.format(GATES[1])}",
            id="none is true",
        ),
    ],
)
def test_a_pod_whose_containers_are_ready_depends_on_its_gates(
    conditions: dict[str, str], expected: str, message: str
) -> None:
    given = status(Ready="True", ContainersReady="True", **conditions)
    condition = ready(gated(spec(*GATES), given, given, NOW))
    assert (condition.status, condition.message) == (expected, message)
    assert condition.reason == ("" if expected == "True" else "ReadinessGatesNotReady")
    assert condition.last_transition_time == (EARLIER if expected == "True" else LATER)


def test_while_containers_are_not_ready_the_condition_says_that() -> None:
    given = status(Ready="True", ContainersReady="False", one="True")
    assert ready(gated(spec(GATES[0]), given, given, NOW)).status == "False"


def test_a_report_of_the_node_does_not_reopen_a_closed_gate() -> None:
    stored = gated(spec(GATES[0]), PodStatus(), status(Ready="True", ContainersReady="True"), NOW)
    assert ready(stored).status == "False"
    reported = gated(spec(GATES[0]), stored, status(Ready="True", ContainersReady="True"), NOW)
    assert reported == stored


def test_a_pod_without_gates_keeps_what_its_node_says() -> None:
    given = status(Ready="True", ContainersReady="True")
    assert gated(spec(), given, given, NOW) is given
    assert gated(spec(GATES[0]), given, status(Ready="True"), NOW) == status(Ready="True")


async def test_a_controller_that_writes_its_condition_makes_the_pod_ready(resources: Resources, me: Caller) -> None:
    made = Pod(metadata=ObjectMeta(name="p"), spec=spec(GATES[0]))
    await resources.create(me, POD, made, namespace="default")

    async def write(**conditions: str) -> PodCondition:
        def change(pod: Pod) -> Pod:
            return type(pod)(metadata=pod.metadata, spec=pod.spec, status=status(**conditions))

        written = await resources.mutate(me, POD, "default", "p", change, subresource="status")
        assert written is not None
        return ready(written.status)

    assert (await write(ContainersReady="True", Ready="True")).reason == "ReadinessGatesNotReady"
    assert (await write(ContainersReady="True", Ready="False", one="True")).status == "True"
    assert (await write(ContainersReady="True", Ready="True", one="False")).status == "False"
