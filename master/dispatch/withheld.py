"""Pods that an agent of an older release would start without a setting that it must obey.

Such an agent ignores the fields that it does not know. Until it is upgraded it gets the pod with one more volume, of a
kind that no agent supports: it then creates no container, and reports why. Containers that run already go on, because a
pod that has run on the node is sent as it is. Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from master.kinds.core.pod.model import PodStatus
from proto import contract
from proto.gen import desired_pb2 as wire

SINCE: Final = 3
"""The protocol version whose agents obey every setting that is looked for here."""

VOLUME: Final = "upgrade-the-agent"
"""The name of the added volume, which the reported reason begins with."""


def for_older_agents(message: wire.Pod, status: PodStatus) -> wire.Pod | None:
    """The pod for an agent below version SINCE that must not start it. None: it gets what `simplified` makes."""
    if has_run(status):
        return None
    changed = simplified(message)
    names = sorted(set(_settings(changed)))
    if not names:
        return None
    text = f"the agent of this node is too old for {', '.join(names)}, which"
    changed.volumes.append(wire.Volume(name=VOLUME, unsupported=text))
    return changed


def simplified(message: wire.Pod) -> wire.Pod:
    """A copy for such an agent: without what pods did not have before, and what it would misunderstand."""
    pod = wire.Pod()
    pod.CopyFrom(message)
    tokens = {volume.name for volume in pod.volumes if _is_injected(volume)}
    _keep(pod.volumes, [volume for volume in pod.volumes if volume.name not in tokens])
    for container in (*pod.init_containers, *pod.containers):
        _keep(container.volume_mounts, [mount for mount in container.volume_mounts if mount.name not in tokens])
        for variable in container.env:
            if variable.HasField("resource"):
                variable.value = "0"
    return pod


def _keep(items: Any, kept: list[Any]) -> None:
    if len(kept) < len(items):
        del items[:]
        items.extend(kept)


def _is_injected(volume: wire.Volume) -> bool:
    """Whether it is the volume with a token that the master gave to the pod (master/admission/podtokens.py)."""
    return volume.name.startswith(contract.ACCESS_VOLUME_PREFIX) and volume.HasField("projected")


def has_run(status: PodStatus) -> bool:
    """Whether a container of the pod exists, or has existed, on its node."""
    containers = (*status.init_container_statuses, *status.container_statuses)
    return any(container.container_id or container.restart_count for container in containers)


def _settings(pod: wire.Pod) -> Iterator[str]:
    """The settings of the pod that agents below SINCE do not obey."""
    if pod.host_pid:
        yield "hostPID"
    if pod.host_ipc:
        yield "hostIPC"
    if pod.share_process_namespace:
        yield "shareProcessNamespace"
    if pod.supplemental_groups:
        yield "supplementalGroups"
    if pod.supplemental_groups_policy not in ("", "Merge"):
        yield "supplementalGroupsPolicy"
    if pod.HasField("fs_group"):
        yield "fsGroup"
    if pod.sysctls:
        yield "sysctls"
    yield from pod.unsupported
    for container in (*pod.init_containers, *pod.containers):
        yield from _of_container(container)
    yield from _of_volumes(pod)


def _of_volumes(pod: wire.Pod) -> Iterator[str]:
    for volume in pod.volumes:
        if volume.HasField("projected"):
            yield "downwardAPI and projected volumes"
        if volume.empty_dir.HasField("mode"):
            yield "emptyDir.mode"
        for keys in (volume.config_map, volume.secret):
            if keys.HasField("user") or any(item.HasField("user") for item in keys.items):
                yield "the owner of files"
            if any(item.HasField("mode") for item in keys.items):
                yield "items[].mode"


def _of_container(container: wire.Container) -> Iterator[str]:
    yield from _of_context(container.security_context)
    if any(variable.HasField("file_key") for variable in container.env):
        yield "fileKeyRef"
    if any(mount.propagation for mount in container.volume_mounts):
        yield "mountPropagation"
    if container.volume_devices:
        yield "volumeDevices"
    if any(mount.recursive_read_only not in ("", "IfPossible") for mount in container.volume_mounts):
        yield "recursiveReadOnly"
    # Older agents would wait for the end of a sidecar.
    if container.restart_policy:
        yield "restartPolicy of a container"


def _of_context(security: wire.SecurityContext) -> Iterator[str]:
    if security.run_as_non_root:
        yield "runAsNonRoot"
    if security.no_new_privileges:
        yield "allowPrivilegeEscalation"
    if security.HasField("run_as_group") and not security.HasField("run_as_user"):
        yield "runAsGroup without runAsUser"
    # Older agents leave the engine's default profile in place, which is RuntimeDefault.
    if security.seccomp.type not in ("", "RuntimeDefault"):
        yield "seccompProfile"
    if security.apparmor.type:
        yield "appArmorProfile"
    if security.selinux_label:
        yield "seLinuxOptions"
