"""The user of a container, groups, privileges, profiles and namespaces, from the desired state to the engine."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agent.model import Container, Pod, Profile, SecurityContext, Sysctl
from agent.pods.errors import ContainerConfigError
from agent.pods.files import seccomp_profile
from agent.pods.security import apparmor_of, check_user, own_seccomp_profile, seccomp_of, user_of
from agent.runtime.accounts import Accounts
from agent.runtime.containers import ContainerSpec, Mount
from agent.runtime.convert import create_body, sandbox_body
from agent.runtime.records import ContainerId
from agent.runtime.sandboxes import SandboxSpec
from agent.statuses import Waiting
from tests.unit.agent.fakes import settle
from tests.unit.agent.pods.bed import IMAGE, Bed, desired, pod

NON_ROOT = SecurityContext(run_as_non_root=True)


@pytest.mark.parametrize(
    ("security", "image_user", "expected"),
    [
        pytest.param(SecurityContext(), "app:app", "", id="the image's"),
        pytest.param(SecurityContext(run_as_user=5), "app:app", "5", id="user"),
        pytest.param(SecurityContext(run_as_user=0, run_as_group=6), "app", "0:6", id="user and group"),
        pytest.param(SecurityContext(run_as_group=6), "app:app", "app:6", id="only the group is replaced"),
        pytest.param(SecurityContext(run_as_group=6), "7", "7:6", id="a number"),
        pytest.param(NON_ROOT, "7:8", "7:8", id="the image's, which was checked"),
        pytest.param(SecurityContext(run_as_non_root=True, run_as_user=5), "", "5", id="the pod's, which was checked"),
        pytest.param(SecurityContext(run_as_group=6), "", "0:6", id="an image without a user"),
    ],
)
def test_user(security: SecurityContext, image_user: str, expected: str) -> None:
    assert user_of(security, image_user) == expected


@pytest.mark.parametrize(
    ("security", "image_user", "problem"),
    [
        pytest.param(SecurityContext(), "", "", id="root is allowed"),
        pytest.param(NON_ROOT, "1000", "", id="a number"),
        pytest.param(NON_ROOT, "1000:0", "", id="the group may be root's"),
        pytest.param(SecurityContext(run_as_non_root=True, run_as_user=5), "", "", id="another user"),
        pytest.param(
            SecurityContext(run_as_non_root=True, run_as_user=0), "5", "runAsUser breaks non-root policy", id="user 0"
        ),
        pytest.param(NON_ROOT, "", "image will run as root", id="no user"),
        pytest.param(NON_ROOT, "0", "image will run as root", id="0"),
        pytest.param(NON_ROOT, "00:5", "image will run as root", id="00"),
        pytest.param(NON_ROOT, "root", r"image has non-numeric user \(root\), cannot verify", id="root by name"),
        pytest.param(NON_ROOT, "app:5", r"image has non-numeric user \(app\), cannot verify", id="a name"),
        pytest.param(NON_ROOT, "²", "non-numeric", id="not an ASCII digit"),
    ],
)
def test_non_root(security: SecurityContext, image_user: str, problem: str) -> None:
    container = Container("app", IMAGE, security=security)
    if not problem:
        check_user(pod(), container, image_user)
        return
    with pytest.raises(ContainerConfigError, match=rf'{problem}.* \(pod: "web_default\(u1\)", container: app\)'):
        check_user(pod(), container, image_user)


def test_seccomp_profiles(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "own.json").write_text('{"defaultAction": "SCMP_ACT_ALLOW"}')

    def of(*profile: str, **more: Any) -> str:
        security = SecurityContext(seccomp=Profile(*profile) if profile else None, **more)
        name = own_seccomp_profile(security)
        return seccomp_of(security, seccomp_profile(tmp_path, name) if name else "")

    assert of() == of("RuntimeDefault") == of("Unconfined", privileged=True) == ""
    assert of("Unconfined") == "unconfined"
    assert of("Localhost", "deep/own.json") == '{"defaultAction": "SCMP_ACT_ALLOW"}'
    assert of("Localhost", "none.json", privileged=True) == ""
    for name in ("none.json", "../none.json", "/etc/passwd", "", "deep"):
        with pytest.raises(ContainerConfigError):
            of("Localhost", name)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (None, ""),
        (Profile("RuntimeDefault"), ""),
        (Profile("Unconfined"), "unconfined"),
        (Profile("Localhost", "mine"), "mine"),
    ],
)
def test_apparmor_profiles(profile: Profile | None, expected: str) -> None:
    assert apparmor_of(SecurityContext(apparmor=profile)) == expected


def test_a_profile_of_the_node_cannot_switch_apparmor_off() -> None:
    with pytest.raises(ContainerConfigError, match="not a profile of the node"):
        apparmor_of(SecurityContext(apparmor=Profile("Localhost", "unconfined")))


async def specs(bed: Bed, tested: Pod) -> tuple[SandboxSpec, ContainerSpec]:
    """Sandbox and container as they were created."""
    async with bed.manager() as manager:
        await manager.apply(desired(tested), complete=True)
        await settle()
    (sandbox,), (app,) = bed.engine.named("_POD_"), bed.engine.named("_app_")
    return bed.engine.sandbox_specs[sandbox.id], bed.engine.specs[app.id]


async def test_groups_and_privileges_reach_the_engine(bed: Bed) -> None:
    security = SecurityContext(
        no_new_privileges=True, seccomp=Profile("Unconfined"), apparmor=Profile("Unconfined"), run_as_group=7
    )
    bed.engine.users[IMAGE] = "app"
    tested = pod(containers=(Container("app", IMAGE, security=security),), supplemental_groups=(5, 6, 5), fs_group=6)
    _, app = await specs(bed, tested)
    body = create_body(app)
    assert (body["User"], body["HostConfig"]["GroupAdd"]) == ("app:7", ["5", "6"])
    assert body["HostConfig"]["SecurityOpt"] == ["no-new-privileges", "seccomp=unconfined", "apparmor=unconfined"]


STRICT = {"groups_policy": Pod.STRICT, "supplemental_groups": (7,), "fs_group": 8}


@pytest.mark.parametrize(
    ("security", "expected"),
    [
        pytest.param(SecurityContext(), "1000:2000", id="the image's user"),
        pytest.param(SecurityContext(run_as_user=5), "5:0", id="a user without a line"),
        pytest.param(SecurityContext(run_as_user=1000), "1000:2000", id="the group of the user's line"),
        pytest.param(SecurityContext(run_as_group=6), "1000:6", id="only the group is given"),
    ],
)
async def test_a_strict_pod_has_no_groups_of_the_image(bed: Bed, security: SecurityContext, expected: str) -> None:
    bed.engine.users[IMAGE] = "app"
    bed.engine.accounts_in[IMAGE] = Accounts("app:x:1000:2000::/:\n", "wheel:x:10:app\n7:x:7:\n")
    _, app = await specs(bed, pod(containers=(Container("app", IMAGE, security=security),), **STRICT))
    # The engine adds the image's groups only to a user without a group.
    assert (app.privileges.user, app.privileges.groups) == (expected, (7, 8))


@pytest.mark.parametrize(
    ("accounts", "problem"),
    [
        pytest.param(Accounts(), 'the image has no user "app"', id="unknown user"),
        pytest.param(Accounts("app:x:1:1::/:", "8:x:0:"), '"8" is the name of another group', id="a number as a name"),
    ],
)
async def test_a_strict_pod_waits_if_the_image_decides_about_groups(bed: Bed, accounts: Accounts, problem: str) -> None:
    bed.engine.users[IMAGE], bed.engine.accounts_in[IMAGE] = "app", accounts
    async with bed.running(pod(**STRICT)):
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert problem in state.message


@pytest.mark.parametrize(
    ("fields", "pid", "ipc", "sandbox_ipc"),
    [
        pytest.param({}, None, "container:SANDBOX", "shareable", id="none"),
        pytest.param({"host_pid": True}, "host", "container:SANDBOX", "shareable", id="the host's processes"),
        pytest.param({"host_ipc": True}, None, "host", "host", id="the host's IPC"),
        pytest.param(
            {"share_process_namespace": True},
            "container:SANDBOX",
            "container:SANDBOX",
            "shareable",
            id="processes of the pod",
        ),
    ],
)
async def test_namespaces(bed: Bed, fields: dict[str, bool], pid: str | None, ipc: str, sandbox_ipc: str) -> None:
    sandbox, app = await specs(bed, pod(**fields))
    assert app.join is not None
    config, of_sandbox = create_body(app)["HostConfig"], sandbox_body(sandbox)["HostConfig"]
    expected = [text and text.replace("SANDBOX", app.join) for text in (pid, ipc)]
    assert [config.get("PidMode"), config["IpcMode"]] == expected
    assert (of_sandbox.get("PidMode"), of_sandbox["IpcMode"]) == (None, sandbox_ipc)


async def test_sysctls_are_set_in_the_sandbox(bed: Bed) -> None:
    sandbox, app = await specs(bed, pod(sysctls=(Sysctl("kernel.shm_rmid_forced", "1"),)))
    assert sandbox_body(sandbox)["HostConfig"]["Sysctls"] == {"kernel.shm_rmid_forced": "1"}
    assert "Sysctls" not in create_body(app)["HostConfig"]


@pytest.mark.parametrize(("limit", "asked"), [(4096, 4096), (0, 4_194_304)], ids=["some", "all of a kernel"])
async def test_the_node_bounds_the_processes_of_a_container(bed: Bed, limit: int, asked: int) -> None:
    bed.config = replace(bed.config, container_pids=limit)
    _, app = await specs(bed, pod())
    assert create_body(app)["HostConfig"]["PidsLimit"] == asked


def test_a_plain_container_asks_for_nothing() -> None:
    config = create_body(ContainerSpec("a", IMAGE, {}, join=ContainerId("s")))["HostConfig"]
    assert config["SecurityOpt"] == [] and "GroupAdd" not in config
    assert "PidMode" not in config


def test_the_engine_makes_no_mount_below_a_read_only_one_read_only() -> None:
    mounts = (Mount("/s", "/only", read_only=True), Mount("/s", "/both"), Mount("/s", "/slave", True, "rslave"))
    body = create_body(ContainerSpec("a", IMAGE, {}, join=ContainerId("s"), mounts=mounts))
    options = [mount.get("BindOptions") or {} for mount in body["HostConfig"]["Mounts"]]
    assert options == [
        {"ReadOnlyNonRecursive": True},
        {},
        {"Propagation": "rslave", "ReadOnlyNonRecursive": True},
    ]


async def test_a_container_that_must_not_be_root_waits_with_the_reason(bed: Bed) -> None:
    tested = pod(containers=(Container("app", IMAGE, security=NON_ROOT),))
    async with bed.manager() as manager:
        await manager.apply(desired(tested), complete=True)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        assert "image will run as root" in state.message
        assert bed.names() == ["sampan_u1_POD_0"]
        bed.engine.users[IMAGE] = "1000"
        await bed.clock.advance(2)
        assert bed.ready()


async def test_a_container_waits_for_a_profile_that_the_node_does_not_have(bed: Bed) -> None:
    security = SecurityContext(seccomp=Profile("Localhost", "own.json"))
    async with bed.manager() as manager:
        await manager.apply(desired(pod(containers=(Container("app", IMAGE, security=security),))), complete=True)
        await settle()
        state = bed.state()
        assert isinstance(state, Waiting) and state.reason == "CreateContainerConfigError"
        profiles = bed.config.seccomp_profiles
        profiles.mkdir()
        (profiles / "own.json").write_text("{}")
        await bed.clock.advance(2)
        assert bed.ready()
        spec = bed.engine.specs[bed.engine.named("app")[0].id]
        assert spec.privileges.seccomp == "{}"
