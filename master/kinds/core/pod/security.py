"""Checks of security settings. Those that no agent can carry out are refused: ignoring them would be unsafe."""

from __future__ import annotations

import re

from master.kinds.core.pod.container import Container, SecurityContext
from master.kinds.core.pod.members import declared_containers
from master.kinds.core.pod.model import PodSecurityContext, PodSpec, Sysctl
from master.kinds.core.pod.profiles import (
    PROFILE_TYPES,
    AppArmorProfile,
    SeccompProfile,
    WindowsSecurityContextOptions,
)
from master.schema.checks import Findings

_NO_WINDOWS = "windows options cannot be set for a linux pod"
# The sysctls of the IPC namespace. Those of the network namespace begin with `net.`.
_IPC_PREFIXES = ("fs.mqueue.", "kernel.msg", "kernel.sem", "kernel.shm")
_SYSCTL = re.compile(r"[a-z0-9]([-_a-z0-9]*[a-z0-9])?([./][a-z0-9]([-_a-z0-9]*[a-z0-9])?)*")
_LONGEST_SYSCTL = 253


def check_pod_security(spec: PodSpec, at: str, findings: Findings) -> None:
    """Checks the settings of the pod and of all its containers. `at` is the path of the spec."""
    if spec.host_users is False:
        findings.forbidden(f"{at}.hostUsers", "user namespaces are not supported")
    if spec.os is not None and spec.os.name == "windows":
        findings.forbidden(f"{at}.os.name", "all nodes run linux")
    if spec.host_pid and spec.share_process_namespace:
        why = "hostPID and shareProcessNamespace cannot both be enabled"
        findings.invalid(f"{at}.shareProcessNamespace", spec.share_process_namespace, why)
    context = spec.security_context
    if context is not None:
        where = f"{at}.securityContext"
        _shared(context, where, findings)
        _sysctls(context.sysctls, spec, f"{where}.sysctls", findings)
    for where, container in declared_containers(spec, at):
        check_container_security(container, where, findings)


def check_container_security(container: Container, at: str, findings: Findings) -> None:
    """Checks the settings of one container at its path `at`."""
    context = container.security_context
    if context is not None:
        _shared(context, f"{at}.securityContext", findings)
        if context.proc_mount == "Unmasked":
            why = "`hostUsers` must be false to use `Unmasked`"
            findings.invalid(f"{at}.securityContext.procMount", context.proc_mount, why)
        _escalation(context, f"{at}.securityContext", findings)
    privileged = bool(context and context.privileged)
    for index, mount in enumerate(container.volume_mounts):
        where = f"{at}.volumeMounts[{index}]"
        if mount.recursive_read_only in ("Enabled", "IfPossible"):
            if not mount.read_only:
                findings.forbidden(f"{where}.recursiveReadOnly", "may only be specified when readOnly is true")
            if mount.mount_propagation not in (None, "None"):
                why = "may only be specified when mountPropagation is None or not specified"
                findings.forbidden(f"{where}.recursiveReadOnly", why)
        if mount.mount_propagation == "Bidirectional" and not privileged:
            why = "Bidirectional mount propagation is available only to privileged containers"
            findings.forbidden(f"{where}.mountPropagation", why)


def _escalation(context: SecurityContext, at: str, findings: Findings) -> None:
    if context.allow_privilege_escalation is not False:
        return
    if context.privileged:
        why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        findings.invalid(at, "", why)
    elif context.capabilities is not None and "CAP_SYS_ADMIN" in context.capabilities.add:
        why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
        findings.invalid(at, "", why)


def _shared(context: SecurityContext | PodSecurityContext, at: str, findings: Findings) -> None:
    """The settings that pods and containers share."""
    if context.windows_options not in (None, WindowsSecurityContextOptions()):
        findings.forbidden(f"{at}.windowsOptions", _NO_WINDOWS)
    _profile("seccomp", context.seccomp_profile, f"{at}.seccompProfile", findings)
    _profile("AppArmor", context.app_armor_profile, f"{at}.appArmorProfile", findings)


def _profile(module: str, profile: SeccompProfile | AppArmorProfile | None, at: str, findings: Findings) -> None:
    """A profile of seccomp or AppArmor. A file must be below the node's directory of profiles."""
    if profile is None:
        return
    kind, path = profile.type, profile.localhost_profile
    if not kind:
        findings.required(f"{at}.type")
    elif kind not in PROFILE_TYPES:
        findings.unsupported(f"{at}.type", kind, PROFILE_TYPES)
    at = f"{at}.localhostProfile"
    if kind != "Localhost":
        if path is not None:
            findings.invalid(at, path, f"can only be set when {module} type is Localhost")
    elif not path:
        findings.required(at, f"must be set when {module} type is Localhost")
    elif path.startswith("/"):
        findings.invalid(at, path, "must be a relative path")
    elif ".." in path.split("/"):
        findings.invalid(at, path, "must not contain '..'")


def _sysctls(sysctls: tuple[Sysctl, ...], spec: PodSpec, at: str, findings: Findings) -> None:
    for index, sysctl in enumerate(sysctls):
        where, name = f"{at}[{index}].name", _dotted(sysctl.name)
        if not name:
            continue
        if len(name) > _LONGEST_SYSCTL or not _SYSCTL.fullmatch(sysctl.name):
            why = "must be lower case letters, digits, '-' and '_' in parts that are separated by dots or slashes"
            findings.invalid(where, sysctl.name, why)
        elif name.startswith("net.") and spec.host_network:
            findings.invalid(where, sysctl.name, "may not be specified when 'hostNetwork' is true")
        elif name.startswith(_IPC_PREFIXES) and spec.host_ipc:
            findings.invalid(where, sysctl.name, "may not be specified when 'hostIPC' is true")
    findings.unique(at, ((f"[{index}].name", sysctl.name) for index, sysctl in enumerate(sysctls)))


def _dotted(name: str) -> str:
    """The name with dots as separators. If the first separator is a slash, slashes separate, as sysctl(8) allows."""
    separator = re.search(r"[./]", name)
    return name.replace("/", ".") if separator and separator[0] == "/" else name
