"""Security settings that no agent can carry out are refused by the API, and contradictions as by Kubernetes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from master.kinds.core.pod.model import PodSpec
from master.kinds.core.pod.security import check_pod_security
from master.schema.checks import Findings

INVALID, REQUIRED, FORBIDDEN = "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden"
UNSUPPORTED = "FieldValueNotSupported"


def causes(spec: dict[str, Any]) -> list[tuple[str, str]]:
    findings = Findings()
    check_pod_security(msgspec.convert(spec, PodSpec), "spec", findings)
    return [(cause.reason, cause.field.removeprefix("spec.")) for cause in findings.causes]


def in_pod(**fields: Any) -> dict[str, Any]:
    return {"securityContext": fields}


def in_container(**fields: Any) -> dict[str, Any]:
    return {"containers": [{"name": "c", "securityContext": fields}]}


def sysctl(name: str, **spec: Any) -> dict[str, Any]:
    return {"securityContext": {"sysctls": [{"name": name, "value": "1"}]}, **spec}


def mount(privileged: bool | None = None, **fields: Any) -> dict[str, Any]:
    context = {} if privileged is None else {"securityContext": {"privileged": privileged}}
    return {"initContainers": [{"name": "c", "volumeMounts": [{"name": "v", "mountPath": "/m", **fields}], **context}]}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"hostUsers": False}, [(FORBIDDEN, "hostUsers")], id="user namespaces"),
        pytest.param({"hostUsers": True}, [], id="the users of the host"),
        pytest.param({"os": {"name": "windows"}}, [(FORBIDDEN, "os.name")], id="windows"),
        pytest.param({"os": {"name": "linux"}}, [], id="linux"),
        pytest.param(
            {"hostPID": True, "shareProcessNamespace": True},
            [(INVALID, "shareProcessNamespace")],
            id="two process namespaces",
        ),
        pytest.param(
            in_pod(seLinuxOptions={"level": "s0"}, windowsOptions={"hostProcess": True}),
            [(FORBIDDEN, "securityContext.windowsOptions")],
            id="options of the pod",
        ),
        pytest.param(
            in_container(seLinuxOptions={"level": "s0"}, windowsOptions={"hostProcess": True}),
            [(FORBIDDEN, "containers[0].securityContext.windowsOptions")],
            id="options of a container",
        ),
        pytest.param(in_pod(seLinuxOptions={}, windowsOptions={}), [], id="empty options"),
        pytest.param(
            in_pod(supplementalGroupsPolicy="Strict"),
            [],
            id="Strict",
        ),
        pytest.param(in_pod(supplementalGroupsPolicy="Merge"), [], id="Merge"),
        pytest.param(
            in_container(procMount="Unmasked"),
            [(INVALID, "containers[0].securityContext.procMount")],
            id="all of /proc",
        ),
        pytest.param(
            in_container(allowPrivilegeEscalation=False, privileged=True),
            [(INVALID, "containers[0].securityContext")],
            id="privileged without escalation",
        ),
        pytest.param(
            in_container(allowPrivilegeEscalation=False, capabilities={"add": ["CAP_SYS_ADMIN"]}),
            [(INVALID, "containers[0].securityContext")],
            id="CAP_SYS_ADMIN without escalation",
        ),
        pytest.param(
            in_container(allowPrivilegeEscalation=False, capabilities={"add": ["NET_ADMIN"]}), [], id="NET_ADMIN"
        ),
        pytest.param(
            mount(recursiveReadOnly="Enabled", readOnly=True, mountPropagation="HostToContainer"),
            [(FORBIDDEN, "initContainers[0].volumeMounts[0].recursiveReadOnly")],
            id="recursively read-only",
        ),
        pytest.param(mount(recursiveReadOnly="IfPossible", readOnly=True), [], id="read-only if possible"),
        pytest.param(
            mount(recursiveReadOnly="IfPossible"),
            [(FORBIDDEN, "initContainers[0].volumeMounts[0].recursiveReadOnly")],
            id="read-only if possible, and writable",
        ),
        pytest.param(
            mount(mountPropagation="Bidirectional"),
            [(FORBIDDEN, "initContainers[0].volumeMounts[0].mountPropagation")],
            id="mounts on the host",
        ),
        pytest.param(mount(True, mountPropagation="Bidirectional"), [], id="mounts on the host, privileged"),
        pytest.param(sysctl("net.core.somaxconn"), [], id="a sysctl"),
        pytest.param(
            sysctl("net/core/somaxconn", hostNetwork=True),
            [(INVALID, "securityContext.sysctls[0].name")],
            id="net of host",
        ),
        pytest.param(
            sysctl("fs.mqueue.msg_max", hostIPC=True), [(INVALID, "securityContext.sysctls[0].name")], id="IPC of host"
        ),
        pytest.param(sysctl("kernel.shm_rmid_forced", hostNetwork=True), [], id="IPC of the pod on the host's network"),
        pytest.param(sysctl("A.b"), [(INVALID, "securityContext.sysctls[0].name")], id="a bad name"),
    ],
)
def test_what_is_refused(spec: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert causes(spec) == expected


@pytest.mark.parametrize("field", ["seccompProfile", "appArmorProfile"])
@pytest.mark.parametrize(
    ("profile", "reason", "subfield"),
    [
        ({"type": "RuntimeDefault"}, "", ""),
        ({"type": "Unconfined"}, "", ""),
        ({"type": "Localhost", "localhostProfile": "a/b.json"}, "", ""),
        ({}, REQUIRED, "type"),
        ({"type": "Default"}, UNSUPPORTED, "type"),
        ({"type": "Localhost"}, REQUIRED, "localhostProfile"),
        ({"type": "Localhost", "localhostProfile": "/a"}, INVALID, "localhostProfile"),
        ({"type": "Localhost", "localhostProfile": "a/../../b"}, INVALID, "localhostProfile"),
        ({"type": "Unconfined", "localhostProfile": "a"}, INVALID, "localhostProfile"),
    ],
)
def test_profiles(field: str, profile: dict[str, Any], reason: str, subfield: str) -> None:
    for spec, at in (
        (in_pod(**{field: profile}), "securityContext"),
        (in_container(**{field: profile}), "containers[0].securityContext"),
    ):
        assert causes(spec) == ([(reason, f"{at}.{field}.{subfield}")] if reason else [])
