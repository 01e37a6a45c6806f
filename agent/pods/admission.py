"""Whether this node can run a pod at all: a pod with a setting that the node cannot carry out is refused and fails.

Owns the reasons, which are Kubernetes' own where Kubernetes has one, and the sysctls that a pod may set. Pure
functions. A pod that has a container on the node is not judged again: an upgraded agent, or another configuration, ends
nothing that runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from agent.handlers import UnknownAction
from agent.model import Container, Pod, Profile, Sysctl
from agent.pods.interface import HostSecurity
from agent.pods.trees import impossible_trees

SAFE_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
"""Those that Kubernetes calls safe: namespaced, and without effect on other pods or on the health of the node."""

_IPC_PREFIXES: Final = ("kernel.shm", "kernel.msg", "fs.mqueue.")
_NETWORK_PREFIX: Final = "net."
_KNOWN_PROFILES: Final = frozenset({Profile.RUNTIME_DEFAULT, Profile.UNCONFINED, Profile.LOCALHOST})
_MAX_ID: Final = (1 << 31) - 1

_REASONS: Final = {
    "spec.os.name: ": "PodOSNotSupported",
}
"""The reasons that Kubernetes has for unsupported settings, by the beginning of the setting."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the node does not run the pod: a word in CamelCase for programs, and a sentence for people."""

    reason: str
    message: str
    final: bool = False
    """It stays so, whatever changes on the node."""


def refusal(pod: Pod, host: HostSecurity) -> Refusal | None:
    """Why this node refuses the pod; None if it can run it."""
    return next(_problems(pod, host), None)


def problem_of_added(container: Container, host: HostSecurity) -> str:
    """Why this node cannot run a container that was added to a running pod; empty if it can. The pod goes on."""
    problems = (problem.message for problem in _container_problems(container, host))
    return next(problems, "") or _id_problem(_ids(container))


def _problems(pod: Pod, host: HostSecurity) -> Iterator[Refusal]:
    if pod.unsupported:
        reasons = (reason for start, reason in _REASONS.items() if pod.unsupported[0].startswith(start))
        settings = ", ".join(pod.unsupported)
        yield Refusal(next(reasons, "SettingNotSupported"), f"this node cannot carry out {settings}")
    if pod.groups_policy not in ("", Pod.MERGE, Pod.STRICT):
        text = f"this node cannot carry out spec.securityContext.supplementalGroupsPolicy: {pod.groups_policy}"
        yield Refusal("SupplementalGroupsPolicyNotSupported", text)
    for sysctl in pod.sysctls:
        if problem := _sysctl_problem(sysctl, pod, host):
            yield Refusal("SysctlForbidden", f"forbidden sysctl: {problem}")
    for container in pod.planned_containers:
        yield from _container_problems(container, host)
        for rule in container.restart_rules:
            if not rule.known:
                text = f'container "{container.name}": this node does not know the restart rule {rule.action}'
                yield Refusal("SettingNotSupported", text)
        for field, handler in container.checks.handlers:
            if isinstance(handler, UnknownAction):
                text = f'container "{container.name}": this node does not know the action of {field}'
                yield Refusal("SettingNotSupported", text)
    ids = [pod.fs_group, *pod.supplemental_groups, *(own for each in pod.planned_containers for own in _ids(each))]
    if problem := _id_problem(ids):
        yield Refusal("SettingNotSupported", problem)


def _sysctl_problem(sysctl: Sysctl, pod: Pod, host: HostSecurity) -> str:
    """Why the pod may not set the parameter; empty if it may."""
    name = sysctl.name
    namespace = _namespace(name)
    if not namespace:
        return f'"{name}" belongs to the whole node, not to a pod'
    if name not in SAFE_SYSCTLS and not any(_matches(name, pattern) for pattern in host.unsafe_sysctls):
        return f'"{name}" is not safe, and allowed_unsafe_sysctls in agent.toml does not name it'
    if namespace == "IPC" and pod.host_ipc:
        return f'"{name}" is not allowed with hostIPC'
    if namespace == "network" and pod.host_network:
        return f'"{name}" is not allowed with hostNetwork'
    return ""


def _namespace(sysctl: str) -> str:
    """The kind of namespace that has its own value of the parameter; empty if the whole node has one value."""
    if sysctl == "kernel.sem" or sysctl.startswith(_IPC_PREFIXES):
        return "IPC"
    return "network" if sysctl.startswith(_NETWORK_PREFIX) else ""


def _matches(sysctl: str, pattern: str) -> bool:
    return sysctl.startswith(pattern[:-1]) if pattern.endswith("*") else sysctl == pattern


def _container_problems(container: Container, host: HostSecurity) -> Iterator[Refusal]:
    security = container.security
    for name, profile in (("seccomp", security.seccomp), ("AppArmor", security.apparmor)):
        if profile is not None and profile.type not in _KNOWN_PROFILES:
            yield Refusal("SettingNotSupported", f'container "{container.name}": {name} profile "{profile.type}"')
    if not host.apparmor and _confines(security.apparmor):
        yield Refusal(
            "AppArmor", f'container "{container.name}" has an AppArmor profile, but this host has no AppArmor'
        )
    # Without SELinux there is nothing that a label would confine: the kubelet ignores it there too.
    if host.selinux and security.selinux_label:
        text = f'container "{container.name}" has seLinuxOptions, but this node cannot give it an SELinux label'
        yield Refusal("SettingNotSupported", text)
    for setting in impossible_trees(container, host):
        text = f'container "{container.name}": this node cannot carry out {setting}'
        yield Refusal("SettingNotSupported", text)
    # A privileged container runs without seccomp, also in Kubernetes.
    if not host.seccomp and _confines(security.seccomp) and not security.privileged:
        yield Refusal("Seccomp", f'container "{container.name}" has a seccomp profile, but this kernel has no seccomp')


def _confines(profile: Profile | None) -> bool:
    return profile is not None and profile.type != Profile.UNCONFINED


def _ids(container: Container) -> list[int | None]:
    return [container.security.run_as_user, container.security.run_as_group]


def _id_problem(ids: list[int | None]) -> str:
    """The kernel would take an id that is out of range for another user or group, perhaps root."""
    wrong = [number for number in ids if number is not None and not 0 <= number <= _MAX_ID]
    return f"{wrong[0]} is not the id of a user or group" if wrong else ""
