"""From the agent's values (statuses.py) to the messages that the master gets: pure conversions, one a message.

Does no I/O. Texts that the master would refuse because of their length are truncated.
"""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from agent import model, statuses
from proto import contract
from proto.gen import observed_pb2


def status_to_proto(status: statuses.PodStatus) -> observed_pb2.PodStatus:
    """A pod's status report."""
    return observed_pb2.PodStatus(
        uid=status.uid,
        namespace=status.namespace,
        name=status.name,
        phase=status.phase.value,
        conditions=[condition_to_proto(condition) for condition in status.conditions],
        reason=status.reason,
        message=status.message,
        host_ip=status.host_ip,
        pod_ip=status.pod_ip,
        start_time=_timestamp(status.start_time),
        init_container_statuses=[_container_status(container) for container in status.init_containers],
        container_statuses=[_container_status(container) for container in status.containers],
        ephemeral_container_statuses=[_container_status(container) for container in status.ephemeral_containers],
        removed=status.removed,
        observed_generation=status.observed_generation,
    )


def removal_to_proto(uid: model.PodUid, ref: model.ObjectRef) -> observed_pb2.PodStatus:
    """The report that nothing of a pod is left on the node."""
    return observed_pb2.PodStatus(uid=uid, namespace=ref.namespace, name=ref.name, removed=True)


def condition_to_proto(condition: statuses.Condition) -> observed_pb2.Condition:
    """A condition of a pod or node."""
    return observed_pb2.Condition(
        type=condition.type,
        status=condition.status,
        reason=condition.reason,
        message=condition.message,
        last_transition_time=_timestamp(condition.last_transition_at),
    )


def event_to_proto(event: statuses.Event) -> observed_pb2.Event:
    """An event."""
    return observed_pb2.Event(
        kind=event.kind,
        namespace=event.namespace,
        name=event.name,
        uid=event.uid,
        field_path=event.field_path,
        type="Warning" if event.warning else "Normal",
        reason=event.reason,
        message=event.message,
        time=_timestamp(event.at),
    )


def info_to_proto(info: statuses.NodeInfo) -> observed_pb2.NodeInfo:
    """Facts about the machine, for Hello."""
    return observed_pb2.NodeInfo(
        machine_id=info.machine_id,
        boot_id=info.boot_id,
        kernel_version=info.kernel_version,
        os_image=info.os_image,
        container_runtime_version=info.container_runtime_version,
        agent_version=info.agent_version,
        operating_system=info.operating_system,
        architecture=info.architecture,
        address=info.address,
        hostname=info.hostname,
        labels=dict(info.labels),
        addresses=info.addresses,
        supplemental_groups_policy=info.supplemental_groups_policy,
        read_only_trees=info.read_only_trees,
    )


def capacity_to_proto(capacity: statuses.Capacity) -> observed_pb2.Capacity:
    """What the machine can give to pods."""
    return observed_pb2.Capacity(
        cpu_millis=capacity.cpu_millis,
        memory_bytes=capacity.memory_bytes,
        ephemeral_storage_bytes=capacity.ephemeral_storage_bytes,
        pods=capacity.pods,
    )


def usage_to_proto(usage: statuses.Usage) -> observed_pb2.Usage:
    """What the machine uses."""
    return observed_pb2.Usage(
        cpu_millis=usage.cpu_millis,
        memory_bytes=usage.memory_bytes,
        ephemeral_storage_bytes=usage.ephemeral_storage_bytes,
    )


def _container_status(status: statuses.ContainerStatus) -> observed_pb2.ContainerStatus:
    return observed_pb2.ContainerStatus(
        name=status.name,
        state=_state(status.state),
        last_state=_state(status.last_state) if status.last_state is not None else None,
        ready=status.ready,
        restart_count=status.restart_count,
        image=status.image[: contract.MAX_WORD],
        image_id=status.image_id[: contract.MAX_WORD],
        container_id=status.container_id[: contract.MAX_WORD],
        started=status.started,
        read_only_trees=status.read_only_trees,
        volume_images={place: image[: contract.MAX_WORD] for place, image in status.volume_images.items()},
        user=_user(status.user) if status.user is not None else None,
    )


def _user(user: statuses.ContainerUser) -> observed_pb2.ContainerUser:
    return observed_pb2.ContainerUser(uid=user.uid, gid=user.gid, supplemental_groups=user.groups)


def _state(state: statuses.ContainerState) -> observed_pb2.ContainerState:
    match state:
        case statuses.Waiting():
            waiting = observed_pb2.ContainerState.Waiting(reason=state.reason, message=state.message)
            return observed_pb2.ContainerState(waiting=waiting)
        case statuses.Running():
            running = observed_pb2.ContainerState.Running(started_at=_timestamp(state.started_at))
            return observed_pb2.ContainerState(running=running)
        case statuses.Terminated():
            terminated = observed_pb2.ContainerState.Terminated(
                exit_code=state.exit_code,
                signal=state.signal,
                reason=state.reason,
                message=state.message,
                started_at=_timestamp(state.started_at),
                finished_at=_timestamp(state.finished_at),
                container_id=state.container_id,
            )
            return observed_pb2.ContainerState(terminated=terminated)


def _timestamp(moment: float) -> Timestamp | None:
    """None (absent) for an unknown time."""
    if moment <= 0:
        return None
    return Timestamp(seconds=int(moment), nanos=int((moment - int(moment)) * 1e6) * 1000)
