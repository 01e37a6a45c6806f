"""The user of a container, from the agent's report to the status."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from master.dispatch.sanity import MAX_GROUPS, MAX_ID, status_problem
from master.dispatch.statuses import merged
from master.kinds.core.pod.model import PodStatus
from master.kinds.core.pod.status import ContainerUser, LinuxContainerUser
from proto.gen import observed_pb2 as wire

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def report(uid: int = 0, gid: int = 0, groups: Sequence[int] = ()) -> wire.PodStatus:
    user = wire.ContainerUser(uid=uid, gid=gid, supplemental_groups=groups)
    return wire.PodStatus(uid="u", container_statuses=[wire.ContainerStatus(name="app", user=user)])


def test_the_status_has_the_reported_user() -> None:
    (root,), (user,) = (
        merged(PodStatus(), each, NOW).container_statuses for each in (report(), report(1000, 3000, [3000, 4000]))
    )
    assert root.user == ContainerUser(linux=LinuxContainerUser())
    assert user.user == ContainerUser(linux=LinuxContainerUser(uid=1000, gid=3000, supplemental_groups=(3000, 4000)))


def test_an_older_agent_reports_no_user() -> None:
    silent = wire.PodStatus(uid="u", container_statuses=[wire.ContainerStatus(name="app")])
    assert merged(PodStatus(), silent, NOW).container_statuses[0].user is None


@pytest.mark.parametrize(
    "wrong",
    [report(uid=-1), report(gid=MAX_ID + 1), report(groups=[0, -1]), report(groups=[0] * (MAX_GROUPS + 1))],
    ids=["negative", "too large", "a group", "too many groups"],
)
def test_a_user_that_cannot_be_is_refused(wrong: wire.PodStatus) -> None:
    known = {"container_statuses": frozenset({"app"})}
    assert "app: user: " in status_problem(wrong, known)
    assert not status_problem(report(MAX_ID, MAX_ID, [0] * MAX_GROUPS), known)
