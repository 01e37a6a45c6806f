"""Which generation of a pod its status is about: by the reports of agents, and by clients that write a status."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec.structs import replace

from master.api.identity import Caller
from master.api.resources import Resources
from master.dispatch.sanity import status_problem
from master.dispatch.statuses import merged
from master.kinds import POD
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodCondition, PodSpec, PodStatus
from master.objects.meta import ObjectMeta
from proto.gen import observed_pb2

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SCHEDULED = PodCondition(type="PodScheduled", status="True")


def report(generation: int) -> observed_pb2.PodStatus:
    ready = observed_pb2.Condition(type="Ready", status="True")
    return observed_pb2.PodStatus(uid="u", phase="Running", conditions=[ready], observed_generation=generation)


def generations(status: PodStatus) -> dict[str, int]:
    return {condition.type: condition.observed_generation for condition in status.conditions}


def test_a_report_is_about_all_conditions_of_the_node_and_that_it_has_the_pod() -> None:
    gate = PodCondition(type="example.com/gate", status="True")
    status = merged(PodStatus(conditions=(SCHEDULED, gate)), report(3), NOW)
    assert status.observed_generation == 3
    assert generations(status) == {"PodScheduled": 3, "example.com/gate": 0, "Ready": 3}


def test_a_report_of_an_older_spec_or_without_a_number_takes_nothing_back() -> None:
    status = merged(PodStatus(conditions=(SCHEDULED,)), report(3), NOW)
    assert merged(status, report(2), NOW).observed_generation == 3
    # An agent of an older release does not know the number.
    silent = merged(status, report(0), NOW)
    assert silent.observed_generation == 3 and generations(silent) == {"PodScheduled": 3, "Ready": 3}


def test_a_negative_number_is_refused() -> None:
    assert status_problem(report(-1), {}) == "observed_generation: -1 is negative"
    assert not status_problem(report(2), {})


async def test_a_client_that_writes_a_status_without_numbers_does_not_remove_them(
    resources: Resources, me: Caller
) -> None:
    spec = PodSpec(containers=(Container(name="c", image="i"),))
    pod = await resources.create(me, POD, Pod(metadata=ObjectMeta(name="p"), spec=spec), namespace="default")
    known = PodStatus(phase="Running", observed_generation=4, conditions=(replace(SCHEDULED, observed_generation=4),))
    pod = await resources.update(me, POD, replace(pod, status=known), subresource="status")
    gate = PodCondition(type="example.com/gate", status="True")
    pod = await resources.update(
        me, POD, replace(pod, status=PodStatus(phase="Running", conditions=(SCHEDULED, gate))), subresource="status"
    )
    assert pod.status.observed_generation == 4
    assert generations(pod.status) == {"PodScheduled": 4, "example.com/gate": 0}
