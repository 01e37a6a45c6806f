"""Converts reported pod statuses to the API's PodStatus.

Owns the pure conversion and the merge with the stored status; long texts are truncated. reports.py writes, sanity.py
validates.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from master.component.podstate import POD_SCHEDULED
from master.dispatch.sanity import MAX_TEXT, MAX_WORD
from master.kinds.core.pod.container import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from master.kinds.core.pod.model import HostIP, PodCondition, PodIP, PodStatus
from master.kinds.core.pod.status import ContainerUser, LinuxContainerUser
from master.objects.meta import timestamp
from proto.gen import observed_pb2 as wire


def merged(before: PodStatus, report: wire.PodStatus, now: datetime) -> PodStatus:
    """The stored status updated by the agent's report; conditions that it does not name (PodScheduled) stay."""
    return msgspec.structs.replace(
        before,
        phase=report.phase or before.phase,
        conditions=_conditions(before.conditions, report, now),
        reason=report.reason[:MAX_WORD],
        message=report.message[:MAX_TEXT],
        host_ip=report.host_ip or before.host_ip,
        host_ips=(HostIP(ip=report.host_ip),) if report.host_ip else before.host_ips,
        pod_ip=report.pod_ip,
        pod_ips=(PodIP(ip=report.pod_ip),) if report.pod_ip else (),
        start_time=_time(report.start_time) if report.HasField("start_time") else before.start_time,
        init_container_statuses=tuple(_container(status) for status in report.init_container_statuses),
        container_statuses=tuple(_container(status) for status in report.container_statuses),
        ephemeral_container_statuses=tuple(_ephemeral(status) for status in report.ephemeral_container_statuses),
        # A status of an older spec, such as that of an agent that has just started again, does not take it back.
        observed_generation=max(before.observed_generation, report.observed_generation),
    )


def _conditions(before: tuple[PodCondition, ...], report: wire.PodStatus, now: datetime) -> tuple[PodCondition, ...]:
    known = {condition.type: condition for condition in before}
    for condition in report.conditions:
        old = known.get(condition.type)
        dated = condition.HasField("last_transition_time")
        since = _time(condition.last_transition_time) if dated else timestamp(now)
        if old is not None and old.status == condition.status and old.last_transition_time:
            since = old.last_transition_time
        known[condition.type] = PodCondition(
            type=condition.type,
            status=condition.status,
            reason=condition.reason[:MAX_WORD],
            message=condition.message[:MAX_TEXT],
            last_transition_time=since,
            observed_generation=report.observed_generation or (old.observed_generation if old is not None else 0),
        )
    if report.observed_generation and (scheduled := known.get(POD_SCHEDULED)) is not None:
        # As the kubelet says, the node has the pod in this form too.
        known[POD_SCHEDULED] = msgspec.structs.replace(scheduled, observed_generation=report.observed_generation)
    return tuple(known.values())


def _container(status: wire.ContainerStatus) -> ContainerStatus:
    return ContainerStatus(
        name=status.name,
        state=_state(status.state),
        last_state=_state(status.last_state),
        ready=status.ready,
        restart_count=status.restart_count,
        image=status.image,
        image_id=status.image_id,
        container_id=status.container_id,
        started=status.started,
        user=_user(status.user) if status.HasField("user") else None,
    )


def _user(user: wire.ContainerUser) -> ContainerUser:
    groups = tuple(user.supplemental_groups)
    return ContainerUser(linux=LinuxContainerUser(uid=user.uid, gid=user.gid, supplemental_groups=groups))


def _ephemeral(status: wire.ContainerStatus) -> ContainerStatus:
    # As in Kubernetes, nothing waits for it to have started.
    return msgspec.structs.replace(_container(status), started=None)


def _state(state: wire.ContainerState) -> ContainerState:
    match state.WhichOneof("state"):
        case "waiting":
            reason, message = state.waiting.reason[:MAX_WORD], state.waiting.message[:MAX_TEXT]
            return ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))
        case "running":
            return ContainerState(running=ContainerStateRunning(started_at=_time(state.running.started_at)))
        case "terminated":
            terminated = state.terminated
            return ContainerState(
                terminated=ContainerStateTerminated(
                    exit_code=terminated.exit_code,
                    signal=terminated.signal,
                    reason=terminated.reason[:MAX_WORD],
                    message=terminated.message[:MAX_TEXT],
                    started_at=_time(terminated.started_at),
                    finished_at=_time(terminated.finished_at),
                    container_id=terminated.container_id[:MAX_WORD],
                )
            )
        case _:
            return ContainerState()


def _time(moment: Timestamp) -> str:
    """RFC 3339; empty for an unknown time."""
    return timestamp(datetime.fromtimestamp(moment.seconds, UTC)) if moment.seconds else ""
