"""The subresource `ephemeralcontainers` of pods: containers that are added to a running pod, for debugging.

Owns what such a container may set, and that those which are there stay as they are.
"""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from master.kinds.core.pod.blockdevices import check_block_devices
from master.kinds.core.pod.container import EphemeralContainer, ResourceRequirements
from master.kinds.core.pod.containers import ContainerCheck
from master.kinds.core.pod.defaults import default_container
from master.kinds.core.pod.envfiles import check_env_files
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.pod.security import check_container_security
from master.registry.subresource import Part
from master.schema.checks import Findings

_AT: Final = "spec.ephemeralContainers"
_NOT_ALLOWED: Final = "cannot be set for an Ephemeral Container"


def _take(new: Pod, old: Pod) -> Pod:
    """The old pod with the new one's ephemeral containers. As in Kubernetes, the change moves its generation."""
    containers = tuple(map(default_container, new.spec.ephemeral_containers))
    if containers == old.spec.ephemeral_containers:
        return old
    metadata = replace(old.metadata, generation=old.metadata.generation + 1)
    return replace(old, metadata=metadata, spec=replace(old.spec, ephemeral_containers=containers))


def _check(new: Pod, old: Pod, findings: Findings) -> None:
    present = {container.name: container for container in new.spec.ephemeral_containers}
    for container in old.spec.ephemeral_containers:
        if container.name not in present:
            findings.forbidden(_AT, f'existing ephemeral containers "{container.name}" may not be removed')
        elif present[container.name] != container:
            findings.forbidden(_AT, f'existing ephemeral containers "{container.name}" may not be changed')
    if new.spec != old.spec:
        _containers(new.spec, findings)


def _containers(spec: PodSpec, findings: Findings) -> None:
    volumes = {volume.name: volume for volume in spec.volumes}
    targets = {container.name for container in (*spec.init_containers, *spec.containers)}
    names = set(targets)
    for index, container in enumerate(spec.ephemeral_containers):
        at = f"{_AT}[{index}]"
        ContainerCheck(container, at, findings).check(volumes, runs_to_completion=False)
        check_container_security(container, at, findings)
        check_block_devices(volumes, container, at, findings)
        check_env_files(volumes, container, at, findings)
        if container.name in names:
            findings.duplicate(f"{at}.name", container.name)
        names.add(container.name)
        _only_for_debugging(container, at, findings)
        target = container.target_container_name
        if target and target not in targets:
            findings.missing(f"{at}.targetContainerName", target)


def _only_for_debugging(container: EphemeralContainer, at: str, findings: Findings) -> None:
    """An ephemeral container serves nobody, is never restarted, and lives on what its pod has."""
    for field, is_set in (
        ("ports", bool(container.ports)),
        ("resources", container.resources != ResourceRequirements()),
        ("resizePolicy", bool(container.resize_policy)),
        ("restartPolicy", container.restart_policy is not None),
        ("restartPolicyRules", bool(container.restart_policy_rules)),
        ("livenessProbe", container.liveness_probe is not None),
        ("readinessProbe", container.readiness_probe is not None),
        ("startupProbe", container.startup_probe is not None),
        ("lifecycle", container.lifecycle is not None),
    ):
        if is_set:
            findings.forbidden(f"{at}.{field}", _NOT_ALLOWED)
    for place, mount in enumerate(container.volume_mounts):
        for field, path in (("subPath", mount.sub_path), ("subPathExpr", mount.sub_path_expr)):
            if path:
                findings.forbidden(f"{at}.volumeMounts[{place}].{field}", _NOT_ALLOWED)


EPHEMERAL_CONTAINERS: Final = Part("ephemeralcontainers", take=_take, attribute="spec", check=_check)
