"""From a pod's container to the runtime's ContainerSpec: pure functions.

Owns the translation of resources to cgroup settings, of command and args to entry point and command, and of the
security context. Independent of the engine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from agent.model import ClusterDns, Container, Pod, Resources, VolumeMount
from agent.pods import oomscores
from agent.pods.dns import kernel_hostname
from agent.pods.errors import ContainerConfigError
from agent.pods.expand import expand
from agent.pods.interface import PodsConfig
from agent.pods.names import container_labels, instance_name, sandbox_labels
from agent.pods.oomscores import score_of
from agent.pods.security import apparmor_of, check_groups, check_user, seccomp_of, strict_user, user_of
from agent.runtime.accounts import Accounts
from agent.runtime.containers import CgroupLimits, ContainerSpec, Device, Mount, Privileges
from agent.runtime.records import ContainerId
from agent.runtime.sandboxes import SandboxSpec

_PROPAGATIONS: Final = {"": "", "HostToContainer": "rslave", "Bidirectional": "rshared"}
_PERIOD_US: Final = 100_000
_MIN_QUOTA_US: Final = 1_000
_MIN_SHARES: Final = 2
_MAX_SHARES: Final = 1 << 18
"""More is refused by the kernel, and the container would not start."""
_SHARES_PER_CPU: Final = 1024


def sandbox_spec(config: PodsConfig, pod: Pod, dns: ClusterDns, *, attempt: int, started_at: float) -> SandboxSpec:
    """The pause container. Docker gives its host name to all containers that join its network.

    Raises ContainerConfigError if that would be too long.
    """
    return SandboxSpec(
        name=instance_name(pod.uid, "", attempt),
        image=config.pause_image,
        labels=sandbox_labels(config, pod, attempt, started_at),
        host_network=pod.host_network,
        hostname="" if pod.host_network else kernel_hostname(pod, dns),
        host_ipc=pod.host_ipc,
        sysctls=tuple((sysctl.name, sysctl.value) for sysctl in pod.sysctls),
        cpu_shares=_MIN_SHARES,
        oom_score_adj=_allowed(config, oomscores.SANDBOX),
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
    target: ContainerId | None,
    env: Mapping[str, str],
    mounts: Sequence[Mount],
    devices: Sequence[Device] = (),
    privileges: Privileges,
) -> ContainerSpec:
    """One instance of a container, joined to its sandbox, and to the processes of the instance `target`."""
    return ContainerSpec(
        name=instance_name(pod.uid, container.name, attempt),
        image=container.image,
        labels=container_labels(config, pod, container, attempt=attempt, sandbox=sandbox_attempt),
        join=sandbox,
        host_network=pod.host_network,
        host_ipc=pod.host_ipc,
        host_pid=pod.host_pid,
        join_pid=target or (sandbox if pod.share_process_namespace else None),
        entrypoint=tuple(expand(word, env) for word in container.command),
        command=tuple(expand(word, env) for word in container.args),
        env=tuple(f"{name}={value}" for name, value in env.items()),
        working_dir=container.working_dir,
        mounts=tuple(mounts),
        devices=tuple(devices),
        limits=limits(
            container.resources,
            oom_score=_allowed(config, score_of(pod, container, memory_bytes=config.memory_bytes)),
            pids=config.container_pids,
        ),
        privileges=privileges,
        cgroup_parent=config.cgroup_parent,
        stdin=container.stdin,
        stdin_once=container.stdin_once,
        tty=container.tty,
    )


def privileges(
    pod: Pod, container: Container, *, image_user: str, seccomp_profile: str, accounts: Accounts | None = None
) -> Privileges:
    """The container's user and privileges. Raises ContainerConfigError if it must not run as this user.

    `image_user` is the USER of its image, if the user depends on it. `seccomp_profile` is the content of the node's own
    profile that it needs. `accounts`: those of the image, which must not add groups (supplementalGroupsPolicy Strict);
    None: it may.
    """
    security = container.security
    check_user(pod, container, image_user)
    groups = pod.supplemental_groups if pod.fs_group is None else (*pod.supplemental_groups, pod.fs_group)
    if accounts is not None:
        check_groups(groups, accounts)
    return Privileges(
        user=user_of(security, image_user) if accounts is None else strict_user(security, image_user, accounts),
        groups=tuple(dict.fromkeys(groups)),
        privileged=security.privileged,
        read_only_root=security.read_only_root_filesystem,
        add_capabilities=security.add_capabilities,
        drop_capabilities=security.drop_capabilities,
        no_new_privileges=security.no_new_privileges,
        seccomp=seccomp_of(security, seccomp_profile),
        apparmor=apparmor_of(security),
    )


def propagation_of(mount: VolumeMount) -> str:
    """The propagation of a mount as the kernel names it. Raises ContainerConfigError for an unknown one."""
    if mount.propagation not in _PROPAGATIONS:
        raise ContainerConfigError(f'volumeMount "{mount.name}": mountPropagation {mount.propagation} is not supported')
    return _PROPAGATIONS[mount.propagation]


def limits(resources: Resources, *, oom_score: int = 0, pids: int = 0) -> CgroupLimits:
    """Cgroup settings by Kubernetes' formulas: a request sets the shares, a limit the quota. As with the kubelet, a
    request of memory sets nothing.

    The master sends the limit as the request if there is none, so a request of 0 is meant.

    `pids` is the node's limit for each container.
    """
    quota_us = resources.cpu_limit_millis * _PERIOD_US // 1000
    return CgroupLimits(
        cpu_shares=min(max(_MIN_SHARES, resources.cpu_request_millis * _SHARES_PER_CPU // 1000), _MAX_SHARES),
        cpu_quota_us=max(_MIN_QUOTA_US, quota_us) if quota_us else 0,
        cpu_period_us=_PERIOD_US if quota_us else 0,
        memory_bytes=resources.memory_limit_bytes,
        oom_score_adj=oom_score,
        pids=pids,
    )


def _allowed(config: PodsConfig, oom_score: int) -> int:
    """The score, or 0 in place of a negative one that the kernel would refuse: the container would not start at all."""
    return oom_score if config.security.lowers_oom_scores else max(0, oom_score)
