"""From a pod's container to the runtime's ContainerSpec: pure functions.

Owns the translation of resources to cgroup settings, of command and args to entry point and command, and of the
security context. Independent of the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent.model import Container, Pod, Resources
from agent.pods.expand import expand
from agent.pods.interface import PodsConfig
from agent.pods.names import container_labels, instance_name, sandbox_labels
from agent.runtime.interface import CgroupLimits, ContainerId, ContainerSpec, Mount, Privileges

_PERIOD_US: Final = 100_000
_MIN_QUOTA_US: Final = 1_000
_MIN_SHARES: Final = 2
_SHARES_PER_CPU: Final = 1024
_BEST_EFFORT_OOM_SCORE: Final = 1000


def sandbox_spec(config: PodsConfig, pod: Pod, *, attempt: int, started_at: float) -> ContainerSpec:
    """The pause container. Docker gives its host name to all containers that join its network."""
    return ContainerSpec(
        name=instance_name(pod.uid, "", attempt),
        image=config.pause_image,
        labels=sandbox_labels(config, pod, attempt, started_at),
        host_network=pod.host_network,
        hostname="" if pod.host_network else (pod.hostname or pod.name)[:63].rstrip("-."),
        limits=CgroupLimits(cpu_shares=_MIN_SHARES),
        cgroup_parent=config.cgroup_parent,
    )


def container_spec(
    config: PodsConfig,
    pod: Pod,
    container: Container,
    *,
    attempt: int,
    sandbox: ContainerId,
    sandbox_attempt: int,
    env: Mapping[str, str],
    mounts: Sequence[Mount],
) -> ContainerSpec:
    """One instance of a container, joined to its sandbox."""
    security = container.security
    user = "" if security.run_as_user is None else str(security.run_as_user)
    if security.run_as_group is not None:
        user = f"{user or 0}:{security.run_as_group}"
    return ContainerSpec(
        name=instance_name(pod.uid, container.name, attempt),
        image=container.image,
        labels=container_labels(config, pod, container, attempt=attempt, sandbox=sandbox_attempt),
        join=sandbox,
        host_network=pod.host_network,
        entrypoint=tuple(expand(word, env) for word in container.command),
        command=tuple(expand(word, env) for word in container.args),
        env=tuple(f"{name}={value}" for name, value in env.items()),
        working_dir=container.working_dir,
        mounts=tuple(mounts),
        limits=limits(container.resources),
        privileges=Privileges(
            user=user,
            privileged=security.privileged,
            read_only_root=security.read_only_root_filesystem,
            add_capabilities=security.add_capabilities,
            drop_capabilities=security.drop_capabilities,
        ),
        cgroup_parent=config.cgroup_parent,
        stdin=container.stdin,
        tty=container.tty,
    )


def limits(resources: Resources) -> CgroupLimits:
    """Cgroup settings by Kubernetes' formulas: a request sets the shares, a limit the quota."""
    request_millis = resources.cpu_request_millis or resources.cpu_limit_millis
    quota_us = resources.cpu_limit_millis * _PERIOD_US // 1000
    return CgroupLimits(
        cpu_shares=max(_MIN_SHARES, request_millis * _SHARES_PER_CPU // 1000),
        cpu_quota_us=max(_MIN_QUOTA_US, quota_us) if quota_us else 0,
        cpu_period_us=_PERIOD_US if quota_us else 0,
        memory_bytes=resources.memory_limit_bytes,
        oom_score_adj=_oom_score(resources),
    )


def _oom_score(resources: Resources) -> int:
    """Containers without requests and limits are killed first when memory runs out. Kubernetes' negative scores are 0
    here: a kernel may refuse them, and the container would not start at all."""
    if resources == Resources():
        return _BEST_EFFORT_OOM_SCORE
    return 0
