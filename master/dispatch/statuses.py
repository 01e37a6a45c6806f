"""Reported pod statuses → the API's PodStatus.

Owns the pure conversion and the merge with what is there already; long texts are cut. Writes nothing (reports.py), and
checks nothing (sanity.py).
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from google.protobuf.timestamp_pb2 import Timestamp

from master.api.kinds.container import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from master.api.kinds.pod import HostIP, PodCondition, PodIP, PodStatus
from master.dispatch.sanity import MAX_TEXT, MAX_WORD
from master.objects.meta import timestamp
from proto.gen import observed_pb2 as wire


def merged(before: PodStatus, report: wire.PodStatus, now: datetime) -> PodStatus:
    """The status with what the agent reports; conditions that it does not name (PodScheduled) stay."""
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
        init_container_statuses=tuple(_container(each) for each in report.init_container_statuses),
        container_statuses=tuple(_container(each) for each in report.container_statuses),
    )


def _conditions(before: tuple[PodCondition, ...], report: wire.PodStatus, now: datetime) -> tuple[PodCondition, ...]:
    known = {each.type: each for each in before}
    for each in report.conditions:
        old = known.get(each.type)
        since = _time(each.last_transition_time) if each.HasField("last_transition_time") else timestamp(now)
        if old is not None and old.status == each.status and old.last_transition_time:
            since = old.last_transition_time
        known[each.type] = PodCondition(
            type=each.type,
            status=each.status,
            reason=each.reason[:MAX_WORD],
            message=each.message[:MAX_TEXT],
            last_transition_time=since,
        )
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
    )


def _state(state: wire.ContainerState) -> ContainerState:
    match state.WhichOneof("state"):
        case "waiting":
            reason, message = state.waiting.reason[:MAX_WORD], state.waiting.message[:MAX_TEXT]
            return ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))
        case "running":
            return ContainerState(running=ContainerStateRunning(started_at=_time(state.running.started_at)))
        case "terminated":
            ended = state.terminated
            return ContainerState(
                terminated=ContainerStateTerminated(
                    exit_code=ended.exit_code,
                    signal=ended.signal,
                    reason=ended.reason[:MAX_WORD],
                    message=ended.message[:MAX_TEXT],
                    started_at=_time(ended.started_at),
                    finished_at=_time(ended.finished_at),
                    container_id=ended.container_id[:MAX_WORD],
                )
            )
        case _:
            return ContainerState()


def _time(moment: Timestamp) -> str:
    """RFC 3339; nothing for a moment that is not known."""
    return timestamp(datetime.fromtimestamp(moment.seconds, UTC)) if moment.seconds else ""
