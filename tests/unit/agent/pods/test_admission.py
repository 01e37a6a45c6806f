"""Pods that this node refuses, as a table; and that a refused pod fails, while one that runs is left alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from agent.model import Container, Pod, PodPhase, Profile, SecurityContext, Sysctl, VolumeMount
from agent.pods.admission import SAFE_SYSCTLS, refusal
from agent.pods.interface import HostSecurity
from tests.unit.agent.fakes import FakeReporter, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, pod

HOST = HostSecurity()


def with_sysctl(name: str, **more: object) -> Pod:
    return pod(sysctls=(Sysctl(name, "1"),), **more)


def with_security(**fields: object) -> Pod:
    return pod(containers=(Container("app", IMAGE, security=SecurityContext(**fields)),))  # type: ignore[arg-type]


def with_tree(recursive: str) -> Pod:
    mount = VolumeMount("data", "/d", read_only=True, recursive_read_only=recursive)
    return pod(containers=(Container("app", IMAGE, volume_mounts=(mount,)),))


@pytest.mark.parametrize(
    ("refused", "host", "reason", "named"),
    [
        pytest.param(
            pod(unsupported=("spec.hostUsers: false", "spec.x")),
            HOST,
            "SettingNotSupported",
            "spec.hostUsers: false, spec.x",
            id="unsupported",
        ),
        pytest.param(
            pod(unsupported=("spec.os.name: windows",)), HOST, "PodOSNotSupported", "windows", id="another system"
        ),
        pytest.param(
            pod(groups_policy="Newer"),
            HOST,
            "SupplementalGroupsPolicyNotSupported",
            "spec.securityContext.supplementalGroupsPolicy: Newer",
            id="groups",
        ),
        pytest.param(
            with_tree("Enabled"),
            HOST,
            "SettingNotSupported",
            'container "app": this node cannot carry out volumeMounts[/d].recursiveReadOnly: Enabled',
            id="a tree that the kernel cannot make read-only",
        ),
        pytest.param(
            with_tree("Newer"),
            HostSecurity(read_only_trees=True),
            "SettingNotSupported",
            "recursiveReadOnly: Newer",
            id="recursiveReadOnly of a newer master",
        ),
        pytest.param(with_sysctl("kernel.msgmax"), HOST, "SysctlForbidden", "not safe", id="unsafe sysctl"),
        pytest.param(
            with_sysctl("vm.swappiness"),
            HostSecurity(unsafe_sysctls=("*",)),
            "SysctlForbidden",
            "whole node",
            id="sysctl of the node, whatever is allowed",
        ),
        pytest.param(
            with_sysctl("kernel.shm_rmid_forced", host_ipc=True), HOST, "SysctlForbidden", "hostIPC", id="host IPC"
        ),
        pytest.param(
            with_sysctl("net.ipv4.tcp_syncookies", host_network=True),
            HOST,
            "SysctlForbidden",
            "hostNetwork",
            id="host network",
        ),
        pytest.param(
            with_security(apparmor=Profile("RuntimeDefault")), HOST, "AppArmor", "no AppArmor", id="no AppArmor"
        ),
        pytest.param(
            with_security(selinux_label=True),
            HostSecurity(selinux=True),
            "SettingNotSupported",
            "SELinux label",
            id="an SELinux label",
        ),
        pytest.param(
            with_security(seccomp=Profile("RuntimeDefault")),
            HostSecurity(seccomp=False),
            "Seccomp",
            "no seccomp",
            id="no seccomp",
        ),
        pytest.param(
            with_security(seccomp=Profile("Newer")),
            HOST,
            "SettingNotSupported",
            '"Newer"',
            id="a newer kind of profile",
        ),
        pytest.param(with_security(run_as_user=1 << 32), HOST, "SettingNotSupported", "4294967296", id="user"),
        pytest.param(pod(fs_group=-1), HOST, "SettingNotSupported", "-1", id="group"),
        pytest.param(pod(supplemental_groups=(1, 1 << 31)), HOST, "SettingNotSupported", "2147483648", id="groups"),
    ],
)
def test_refused(refused: Pod, host: HostSecurity, reason: str, named: str) -> None:
    problem = refusal(refused, host)
    assert problem is not None and problem.reason == reason and named in problem.message


@pytest.mark.parametrize(
    ("accepted", "host"),
    [
        pytest.param(pod(), HOST, id="plain"),
        *(pytest.param(with_sysctl(name), HOST, id=name) for name in sorted(SAFE_SYSCTLS)),
        pytest.param(
            with_sysctl("net.core.somaxconn"), HostSecurity(unsafe_sysctls=("net.core.somaxconn",)), id="name"
        ),
        pytest.param(with_sysctl("kernel.msgmax"), HostSecurity(unsafe_sysctls=("kernel.msg*",)), id="pattern"),
        pytest.param(with_sysctl("kernel.shm_rmid_forced", host_network=True), HOST, id="IPC with the host's network"),
        pytest.param(with_security(apparmor=Profile("Unconfined")), HOST, id="no AppArmor is needed"),
        pytest.param(
            with_security(apparmor=Profile("Localhost", "mine")), HostSecurity(apparmor=True), id="host has AppArmor"
        ),
        pytest.param(
            with_security(seccomp=Profile("RuntimeDefault"), privileged=True),
            HostSecurity(seccomp=False),
            id="privileged containers have no seccomp",
        ),
        pytest.param(with_security(selinux_label=True), HOST, id="a label without SELinux"),
        pytest.param(with_security(run_as_user=(1 << 31) - 1), HOST, id="the largest user"),
    ],
)
def test_accepted(accepted: Pod, host: HostSecurity) -> None:
    assert refusal(accepted, host) is None


REFUSED = with_sysctl("kernel.msgmax")


async def test_a_refused_pod_fails_with_its_reason_and_nothing_of_it_runs(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(REFUSED), complete=True)
        await settle()
        status = bed.reporter.statuses[UID]
        assert (status.phase, status.reason) == (PodPhase.FAILED, "SysctlForbidden")
        assert "kernel.msgmax" in status.message and not status.containers
        assert not bed.ready() and bed.names() == []
        assert bed.reporter.reasons() == ["SysctlForbidden"]
        await bed.clock.advance(600)
        assert bed.names() == [] and len(bed.reporter.events) == 1
        await manager.apply(desired(replace(REFUSED, ended_phase=PodPhase.FAILED)), complete=True)
        await settle()
        assert bed.reporter.statuses[UID] == status
        await manager.apply(desired(replace(REFUSED, deletion_at=bed.clock.wall())), complete=True)
        await settle()
        assert bed.reporter.gone == [UID]


async def test_a_refused_pod_stays_failed_when_the_agent_restarts(bed: Bed) -> None:
    async with bed.manager() as manager:
        await manager.apply(desired(REFUSED), complete=True)
        await settle()
    bed.reporter = FakeReporter()
    bed.config = replace(bed.config, security=HostSecurity(unsafe_sysctls=("kernel.*",)))
    async with bed.manager() as manager:
        await manager.apply(desired(replace(REFUSED, ended_phase=PodPhase.FAILED)), complete=True)
        await settle()
        assert bed.names() == [] and bed.reporter.history == []


async def test_a_pod_that_runs_is_not_ended_by_an_upgrade(bed: Bed) -> None:
    """An older agent ignored the setting."""
    async with bed.manager() as manager:
        await manager.apply(desired(pod()), complete=True)
        await settle()
    before = bed.names()
    async with bed.manager() as manager:
        await manager.apply(desired(REFUSED), complete=True)
        await settle()
        assert bed.ready() and bed.names() == before
