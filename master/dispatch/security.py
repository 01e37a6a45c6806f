"""The security settings of a pod for its node: the effective ones of a container, and those that no node carries out.

Owns the precedence (a container's own setting before the pod's) and the list of settings that a node has to refuse.
Pure functions. convert.py puts the results into the pod's message.
"""

from __future__ import annotations

from collections.abc import Iterator

from master.kinds.core.pod.container import Container, Lifecycle, LifecycleHandler, Probe, SecurityContext
from master.kinds.core.pod.model import PodSecurityContext, PodSpec
from master.kinds.core.pod.profiles import (
    PROFILE_TYPES,
    AppArmorProfile,
    SeccompProfile,
    SELinuxOptions,
    WindowsSecurityContextOptions,
)
from master.schema.quantity import bytes_of as resource_bytes
from master.schema.resourcenames import HUGE_PAGES
from proto.gen import desired_pb2 as wire


def security_message(own: SecurityContext | None, pod: PodSecurityContext | None) -> wire.SecurityContext | None:
    """The effective security context; None when neither exists."""
    if own is None and pod is None:
        return None
    own = own or SecurityContext()
    pod = pod or PodSecurityContext()
    capabilities = own.capabilities
    non_root = pod.run_as_non_root if own.run_as_non_root is None else own.run_as_non_root
    return wire.SecurityContext(
        run_as_user=pod.run_as_user if own.run_as_user is None else own.run_as_user,
        run_as_group=pod.run_as_group if own.run_as_group is None else own.run_as_group,
        privileged=bool(own.privileged),
        read_only_root_filesystem=bool(own.read_only_root_filesystem),
        add_capabilities=capabilities.add if capabilities else (),
        drop_capabilities=capabilities.drop if capabilities else (),
        run_as_non_root=bool(non_root),
        no_new_privileges=own.allow_privilege_escalation is False,
        seccomp=_profile(own.seccomp_profile or pod.seccomp_profile),
        apparmor=_profile(own.app_armor_profile or pod.app_armor_profile),
        selinux_label=_is_labelled(own) or _is_labelled(pod),
    )


def unsupported(spec: PodSpec) -> list[str]:
    """The settings that no node carries out and that are unsafe to ignore, as field paths with their values, sorted."""
    return sorted({*_of_pod(spec), *_of_containers(spec)})


def _of_pod(spec: PodSpec) -> Iterator[str]:
    security = spec.security_context or PodSecurityContext()
    if spec.host_users is False:
        yield "spec.hostUsers: false"
    if spec.os is not None and spec.os.name not in ("", "linux"):
        yield f"spec.os.name: {spec.os.name}"
    if spec.runtime_class_name:
        yield f"spec.runtimeClassName: {spec.runtime_class_name}"
    yield from _of_context(security, "spec.securityContext")


def _of_containers(spec: PodSpec) -> Iterator[str]:
    for field, containers in (("initContainers", spec.init_containers), ("containers", spec.containers)):
        for container in containers:
            yield from _of_container(container, f"spec.{field}[{container.name}]")


def _of_container(container: Container, at: str) -> Iterator[str]:
    own = container.security_context
    if own is not None:
        if own.proc_mount == "Unmasked":
            yield f"{at}.securityContext.procMount: Unmasked"
        yield from _of_context(own, f"{at}.securityContext")
    for kind, amounts in (("limits", container.resources.limits), ("requests", container.resources.requests)):
        for name, amount in amounts.items():
            # No engine limits them: the container could take those of others.
            if name.startswith(HUGE_PAGES) and resource_bytes(amount):
                yield f"{at}.resources.{kind}[{name}]"
    yield from _of_probes(container, at)


def _of_probes(container: Container, at: str) -> Iterator[str]:
    """A probe that is not carried out as it is meant could restart a healthy container."""
    hooks = container.lifecycle or Lifecycle()
    handlers: dict[str, Probe | LifecycleHandler | None] = {
        "livenessProbe": container.liveness_probe,
        "readinessProbe": container.readiness_probe,
        "startupProbe": container.startup_probe,
        "lifecycle.postStart": hooks.post_start,
        "lifecycle.preStop": hooks.pre_stop,
    }
    for field, handler in handlers.items():
        if handler is not None and handler.http_get is not None and handler.http_get.protocol == "HTTP2":
            yield f"{at}.{field}.httpGet.protocol: HTTP2"
        if isinstance(handler, Probe) and handler.grpc is not None and handler.grpc.mode == "TLS":
            yield f"{at}.{field}.grpc.mode: TLS"


def _of_context(context: SecurityContext | PodSecurityContext, at: str) -> Iterator[str]:
    if context.windows_options not in (None, WindowsSecurityContextOptions()):
        yield f"{at}.windowsOptions"
    profiles: dict[str, SeccompProfile | AppArmorProfile | None] = {
        "seccompProfile": context.seccomp_profile,
        "appArmorProfile": context.app_armor_profile,
    }
    for field, profile in profiles.items():
        # Other types are not accepted, but may be in the store.
        if profile is not None and profile.type not in PROFILE_TYPES:
            yield f"{at}.{field}.type: {profile.type}"


def _is_labelled(context: SecurityContext | PodSecurityContext) -> bool:
    return context.se_linux_options not in (None, SELinuxOptions())


def _profile(profile: SeccompProfile | AppArmorProfile | None) -> wire.SecurityProfile | None:
    if profile is None or profile.type not in PROFILE_TYPES:
        return None
    return wire.SecurityProfile(type=profile.type, localhost=profile.localhost_profile or "")
