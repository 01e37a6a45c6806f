"""Conversion of security settings to messages, and the settings that no node carries out."""

from __future__ import annotations

from typing import Any

import pytest

from master.dispatch import convert
from master.dispatch.security import security_message, unsupported
from master.kinds.core.pod.container import Capabilities, Container, ResourceRequirements, SecurityContext
from master.kinds.core.pod.model import Pod, PodOS, PodSecurityContext, PodSpec
from master.kinds.core.pod.profiles import (
    AppArmorProfile,
    SeccompProfile,
    SELinuxOptions,
    WindowsSecurityContextOptions,
)
from proto.gen import desired_pb2 as wire


@pytest.mark.parametrize(
    ("own", "pod", "expected"),
    [
        pytest.param(None, None, None, id="nothing"),
        pytest.param(None, PodSecurityContext(run_as_user=5), wire.SecurityContext(run_as_user=5), id="the pod's"),
        pytest.param(
            SecurityContext(run_as_user=0, capabilities=Capabilities(add=("NET_ADMIN",))),
            PodSecurityContext(run_as_user=5, run_as_group=6),
            wire.SecurityContext(run_as_user=0, run_as_group=6, add_capabilities=["NET_ADMIN"]),
            id="the container's first",
        ),
        pytest.param(
            SecurityContext(allow_privilege_escalation=True), None, wire.SecurityContext(), id="escalation is allowed"
        ),
        pytest.param(
            SecurityContext(allow_privilege_escalation=False),
            PodSecurityContext(run_as_non_root=True),
            wire.SecurityContext(run_as_non_root=True, no_new_privileges=True),
            id="restricted",
        ),
        pytest.param(
            SecurityContext(run_as_non_root=False),
            PodSecurityContext(run_as_non_root=True),
            wire.SecurityContext(),
            id="the container may be root",
        ),
        pytest.param(
            SecurityContext(seccomp_profile=SeccompProfile(type="Localhost", localhost_profile="a/b.json")),
            PodSecurityContext(
                seccomp_profile=SeccompProfile(type="RuntimeDefault"),
                app_armor_profile=AppArmorProfile(type="Unconfined"),
            ),
            wire.SecurityContext(
                seccomp=wire.SecurityProfile(type="Localhost", localhost="a/b.json"),
                apparmor=wire.SecurityProfile(type="Unconfined"),
            ),
            id="profiles",
        ),
    ],
)
def test_security(
    own: SecurityContext | None, pod: PodSecurityContext | None, expected: wire.SecurityContext | None
) -> None:
    assert security_message(own, pod) == expected


@pytest.mark.parametrize("options", [SELinuxOptions(), SELinuxOptions(level="s0")])
def test_a_label_of_the_container_or_of_its_pod(options: SELinuxOptions) -> None:
    own, pod = SecurityContext(se_linux_options=options), PodSecurityContext(se_linux_options=options)
    for message in (security_message(own, None), security_message(None, pod)):
        assert message is not None and message.selinux_label is (options != SELinuxOptions())


def container(**fields: Any) -> PodSpec:
    return PodSpec(containers=(Container(name="app", **fields),))


def context(**fields: Any) -> PodSpec:
    return PodSpec(security_context=PodSecurityContext(**fields))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(PodSpec(), [], id="nothing"),
        pytest.param(PodSpec(host_users=True, os=PodOS(name="linux")), [], id="what every node does"),
        pytest.param(PodSpec(host_users=False), ["spec.hostUsers: false"], id="user namespace"),
        pytest.param(PodSpec(os=PodOS(name="windows")), ["spec.os.name: windows"], id="another system"),
        pytest.param(PodSpec(runtime_class_name="kata"), ["spec.runtimeClassName: kata"], id="another runtime"),
        pytest.param(
            context(windows_options=WindowsSecurityContextOptions(run_as_user_name="a")),
            ["spec.securityContext.windowsOptions"],
            id="the pod's context",
        ),
        pytest.param(
            context(
                seccomp_profile=SeccompProfile(type="RuntimeDefalt"),
                app_armor_profile=AppArmorProfile(type="Localhost"),
            ),
            ["spec.securityContext.seccompProfile.type: RuntimeDefalt"],
            id="unknown profile",
        ),
        pytest.param(
            container(security_context=SecurityContext(proc_mount="Unmasked")),
            ["spec.containers[app].securityContext.procMount: Unmasked"],
            id="the container's context",
        ),
        pytest.param(
            container(
                resources=ResourceRequirements(
                    limits={"hugepages-2Mi": "4Mi", "hugepages-1Gi": "0"}, requests={"hugepages-2Mi": "4Mi"}
                )
            ),
            [
                "spec.containers[app].resources.limits[hugepages-2Mi]",
                "spec.containers[app].resources.requests[hugepages-2Mi]",
            ],
            id="huge pages",
        ),
    ],
)
def test_settings_that_no_node_carries_out_are_named(spec: PodSpec, expected: list[str]) -> None:
    assert unsupported(spec) == expected
    assert list(convert.pod_message(Pod(spec=spec)).unsupported) == expected
