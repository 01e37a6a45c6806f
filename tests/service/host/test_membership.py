"""Joining: the order of steps, the messages, and what is left after each kind of failure."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agent import host as agent_host
from agent.identity import files
from cli import exits
from host.config import master_url, text_of
from host.layout import HostLayout
from host.membership import agent_toml
from host.membership.errors import HostBusy, MasterUnreachable, MembershipError
from host.membership.join import join
from host.preflight.finding import Finding, error, warning
from host.preflight.gather import Subject
from hull.errors import SettingsError
from tests.fakes.membership import World
from tests.fakes.sessions import TOKEN, until

pytestmark = pytest.mark.timeout(60)


async def test_a_host_joins_and_the_command_waits_for_its_agent(world: World) -> None:
    waiting = asyncio.create_task(world.join(timeout_s=200.0))
    await until(lambda: "restart" in world.systemd.verbs)
    async with world.agent():
        await waiting
    assert world.messages[-1] == "node n is Ready"
    assert world.files() == ["etc/agent.toml", "state/identity.json", "state/lock"]


async def test_joining_twice_waits_again_and_changes_nothing(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    before = {name: (world.directory / name).read_bytes() for name in world.files()}
    world.systemd.installed = True
    async with world.agent():
        await world.join()
    assert "already" in "".join(world.messages)
    assert {name: (world.directory / name).read_bytes() for name in world.files()} == before


async def test_a_node_that_was_away_is_not_ready_before_its_agent_is_active(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    world.systemd.installed, world.systemd.inactive = True, 3
    async with world.agent():
        await until(lambda: world.master.ready("n") == "True")
        await world.join()
    assert world.slept_s > 0 and world.systemd.inactive < 0
    assert world.messages[-1] == "node n is Ready"


async def test_without_a_unit_the_next_step_is_printed(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    assert "`sampan agent --config" in world.messages[-1]
    assert world.systemd.verbs == []


async def test_a_node_that_does_not_become_ready_reports_the_reasons(world: World) -> None:
    with pytest.raises(MembershipError) as late:
        await world.join()
    for part in ("not Ready after 3 s", "has not registered", "does not run", "failed (exit-code)", "no route to the"):
        assert part in str(late.value)
    world.findings = []
    async with world.agent() as end:
        end.machine.is_ready = "False"
        end.machine.beat_now.set()
        await until(lambda: world.master.ready("n") == "False")
        with pytest.raises(MembershipError, match="Ready is False: AgentReady"):
            await world.join()


async def test_a_node_that_a_person_cordoned_stays_cordoned_and_joining_prints_how_to_undo_it(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    async with world.agent():
        await world.cordon()
        await world.join()
    assert world.master.node("n").spec.unschedulable
    undo = """kubectl patch node n --type=merge -p '{"spec":{"unschedulable":null}}'"""
    assert world.messages[-1] == f"node n is Ready, and cordoned: it takes no new pods before {undo}"


async def test_a_node_of_another_cluster_is_refused_with_the_remedy(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    before = world.files()
    with pytest.raises(MembershipError, match=r"another cluster.* `sampan leave` first, or `sampan reset`"):
        await world.join(ca_hash="sha256:" + "0" * 64)
    assert world.files() == before


async def test_errors_of_the_preflight_prevent_a_join_unless_they_are_ignored(world: World) -> None:
    world.systemd.installed = False
    world.findings = [
        error("mtu", "600", "more"),
        error("master-answer", "no", "start it"),
        warning("swap", "on", "off"),
    ]
    with pytest.raises(MembershipError, match="--ignore-preflight-errors mtu,master-answer") as refused:
        await world.join()
    assert type(refused.value) is MasterUnreachable
    with pytest.raises(MembershipError, match="correct mtu,") as refused:
        await world.join(ignored=["master-answer"])
    assert type(refused.value) is MembershipError
    assert world.files() == []
    assert any("WARNING swap" in line for line in world.messages)
    await world.join(ignored=["all"])
    assert files.load(world.state) is not None


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        pytest.param({"token": "abcdef.fedcba9876543210"}, MembershipError, "not valid", id="wrong token"),
        pytest.param({"token": "nonsense"}, MembershipError, "form abcdef", id="no token"),
        pytest.param({"ca_hash": "sha256:" + "0" * 64}, MembershipError, "another cluster", id="another CA"),
        pytest.param({"settings": {"master": "https://127.0.0.1:1"}}, MasterUnreachable, "no answer", id="master away"),
        pytest.param({"settings": {"node_name": "taken"}}, MembershipError, "already exists", id="name taken"),
    ],
)
async def test_a_join_that_is_refused_after_the_preflight_leaves_nothing(
    world: World, change: dict[str, Any], kind: type[MembershipError], says: str
) -> None:
    await world.master.identity("taken")
    with pytest.raises(MembershipError, match=says) as refused:
        await world.join(**change)
    assert type(refused.value) is kind
    assert "nothing was changed" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [name for name in world.files() if name != "state/pending.key" and name != "state/lock"] == []


async def test_an_interrupted_join_is_completed_by_the_same_command(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.systemd.installed = False
    real, before = agent_host.join, files.save

    def interrupted(state_dir: Path, identity: files.Identity) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "save", interrupted)
    caught: list[BaseException] = []

    def attempt() -> None:
        try:
            join(world.this_host, world.request())
        except KeyboardInterrupt as error:  # must not reach the loop, which it would end
            caught.append(error)

    await asyncio.to_thread(attempt)
    assert caught
    assert "etc/agent.toml" not in world.files()
    # The master has signed: the key is kept, and the same key gets the same name.
    assert "state/pending.key" in world.files()
    monkeypatch.setattr(files, "save", before)
    assert agent_host.join is real
    await world.join()
    assert files.load(world.state) is not None
    assert "state/pending.key" not in world.files()


async def test_a_full_disk_leaves_no_incomplete_configuration(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        await world.join()
    assert world.files() == []


async def test_a_configuration_of_a_person_is_used_and_stays(world: World) -> None:
    world.systemd.installed = False
    world.config.parent.mkdir()
    text = f'state_dir = "{world.state}"\nnode_name = "mine"\nmaster = "https://127.0.0.1:{world.api.port}"\n'
    world.config.write_text(text)
    with pytest.raises(SettingsError, match="node_name is mine, not n"):
        await world.join()
    await world.join(settings={"node_name": "", "state_dir": ""})
    identity = files.load(world.state)
    assert identity is not None
    assert identity.node_name == "mine"
    await world.reset()
    assert world.config.read_text() == text
    world.config.write_text(text.replace("127.0.0.1", "10.9.9.9"))
    with pytest.raises(SettingsError, match=r"master is https://10\.9\.9\.9"):
        await world.join(settings={"node_name": ""})


@pytest_asyncio.fixture
async def expired(world: World) -> World:
    """A node whose certificate has expired; its agent runs."""
    world.systemd.installed = False
    await world.join()
    identity = files.load(world.state)
    assert identity is not None
    files.save(world.state, replace(identity, not_after=time.time() - 1))
    world.systemd.installed = world.systemd.runs = True
    return world


@pytest.mark.parametrize(
    ("change", "kind", "says"),
    [
        pytest.param({"token": "abcdef.fedcba9876543210"}, MembershipError, "not valid", id="wrong token"),
        pytest.param({"settings": {"master": "https://127.0.0.1:1"}}, MasterUnreachable, "no answer", id="master away"),
    ],
)
async def test_an_expired_node_that_gets_no_certificate_is_left_as_it_was(
    expired: World, change: dict[str, Any], kind: type[MembershipError], says: str
) -> None:
    before = {name: (expired.directory / name).read_bytes() for name in expired.files()}
    with pytest.raises(MembershipError, match=f"has expired, and was not replaced: .*{says}") as refused:
        await expired.join(**change)
    assert type(refused.value) is kind
    assert expired.systemd.verbs == ["stop", "start"], "and it stays in the boot"
    assert {name: (expired.directory / name).read_bytes() for name in expired.files()} == before


async def test_an_expired_node_gets_another_certificate_and_keeps_its_name(expired: World) -> None:
    with pytest.raises(MembershipError, match="not Ready after 3 s"):
        await expired.join()
    assert expired.systemd.verbs == ["stop", "enable", "restart"]
    identity = files.load(expired.state)
    assert identity is not None and identity.node_name == "n" and identity.not_after > time.time()


async def test_of_two_joins_at_once_one_is_refused_and_the_other_completes(world: World) -> None:
    world.systemd.installed = False
    first_is_there, second_was_refused = threading.Event(), threading.Event()

    def look(_: Subject) -> list[Finding]:
        first_is_there.set()
        assert second_was_refused.wait(20)
        return []

    first = asyncio.create_task(asyncio.to_thread(join, replace(world.this_host, findings=look), world.request()))
    assert await asyncio.to_thread(first_is_there.wait, 20)
    for again in (world.join, world.leave, world.reset):
        with pytest.raises(MembershipError, match="another command changes this host") as busy:
            await again()
        assert type(busy.value) is HostBusy
    second_was_refused.set()
    await first
    assert world.files() == ["etc/agent.toml", "state/identity.json", "state/lock"]
    assert agent_toml.known(world.config).node_name == "n"


async def test_a_node_that_joins_again_keeps_the_options_of_the_first_join(world: World) -> None:
    world.systemd.installed = False
    await world.join(settings={"engine_socket": "/run/podman/podman.sock"})
    text = world.config.read_text()
    await world.join(settings={"node_address": "", "state_dir": str(world.state)})
    assert world.config.read_text() == text


def test_only_root_may(monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.main import main

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for words in (["leave"], ["reset"], ["join", "10.0.0.1", "--token", TOKEN, "--ca-hash", "sha256:0"]):
        assert main(words) == exits.FAILED


def test_a_written_configuration_is_ours_until_it_is_edited(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    settings = {
        "state_dir": "/s",
        "node_name": "n",
        "master": "https://m:6443",
        "node_address": "",
        "engine_socket": "",
    }
    agent_toml.write(path, agent_toml.render(settings))
    assert agent_toml.is_ours(path)
    path.write_text(path.read_text() + "max_pods = 5\n")
    assert not agent_toml.is_ours(path)
    assert agent_toml.remove(path)
    assert path.exists()


def test_a_symbolic_link_stays_and_its_target_keeps_its_owner(tmp_path: Path) -> None:
    managed, path = tmp_path / "managed.toml", tmp_path / "agent.toml"
    path.symlink_to("managed.toml")
    text = text_of("agent", HostLayout(), {"node_name": "n"})
    managed.write_text(text)
    managed.chmod(0o640)
    os.chown(managed, *(ids := (12, 34) if os.geteuid() == 0 else (-1, -1)))
    before = managed.stat()
    _, written = agent_toml.chosen(path, {"master": "https://m:6443"})
    agent_toml.write(path, written)
    assert path.is_symlink() and managed.read_text() == written
    after = managed.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid), ids
    assert agent_toml.remove(path)
    assert path.is_symlink() and managed.read_text() == text
    # Where it led nowhere, it leads nowhere again.
    managed.unlink()
    agent_toml.write(path, agent_toml.render({"master": "https://m:6443"}))
    assert managed.exists() and not agent_toml.remove(path)
    assert path.is_symlink() and not managed.exists()


def test_the_case_of_a_masters_name_does_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    settings = {"master": "https://master.example.org:6443"}
    assert master_url("Master.Example.org") == settings["master"]
    # As a release before this one wrote it, and a person may.
    path.write_text(text_of("agent", HostLayout(), {"node_name": "n", "master": "https://Master.Example.org:6443"}))
    assert agent_toml.chosen(path, settings)[1] == ""
    path.write_text(text_of("agent", HostLayout(), {"node_name": "n", **settings}))
    assert agent_toml.chosen(path, settings)[1] == ""
    with pytest.raises(SettingsError, match="state_dir is /var/lib/sampan/agent, not /VAR"):
        agent_toml.chosen(path, {**settings, "state_dir": "/VAR/lib/sampan/agent"})


def test_joining_adds_the_master_to_an_installed_configuration_and_leaving_removes_it(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    text = text_of("agent", HostLayout(), {"node_name": "n", "labels": {"a": "b"}})
    path.write_text(text)
    config, written = agent_toml.chosen(path, {"master": "https://m:6443", "node_name": "", "state_dir": ""})
    assert (config.master, config.node_name, config.labels) == ("https://m:6443", "n", {"a": "b"})
    agent_toml.write(path, written)
    assert agent_toml.chosen(path, {"master": "https://m:6443"})[1] == "", "a second time changes nothing"
    other, _ = agent_toml.chosen(path, {"master": "https://other:6443"})
    assert other.master == "https://other:6443", "a join that came to nothing may be followed by another one"
    with pytest.raises(SettingsError, match="node_name is n, not m"):
        agent_toml.chosen(path, {"master": "https://m:6443", "node_name": "m"})
    assert agent_toml.remove(path)
    assert path.read_text() == text
    assert agent_toml.known(path).node_name == "n", "a second leave, or a reset, has no master to read"
