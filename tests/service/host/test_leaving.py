"""Leaving and reset: the order of steps, the messages, and what is left after each kind of failure."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agent import departure, host
from agent.config import AgentConfig
from agent.identity import files
from host.membership.errors import HostBusy, MasterUnreachable, MembershipError
from host.membership.leave import LeaveRequest, leave
from tests.fakes.membership import World

pytestmark = pytest.mark.timeout(60)


async def test_a_node_leaves_while_its_agent_runs_and_leaving_again_does_nothing(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    world.systemd.installed = True
    async with world.agent() as end:
        await world.leave()
        assert end.machine.left
    assert world.master.node("n") is None
    assert world.systemd.verbs == ["disable"]
    assert world.files() == []
    await world.leave()
    assert "is not a node" in world.messages[-1]
    # The name is free at once.
    world.systemd.installed = False
    await world.join()


async def test_a_node_without_a_running_agent_leaves_too(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    async with world.agent():
        pass
    await world.leave()
    assert world.master.node("n") is None
    assert await world.master.identities.get("n") is None, "reported that nothing is left"


async def test_a_node_without_its_configuration_leaves_by_its_identity(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    async with world.agent():
        pass
    world.config.unlink()
    await world.leave()
    assert world.messages[-1] == "node n has left the cluster, and this host is clean"
    assert world.master.node("n") is None
    assert world.files() == []
    await world.leave()
    assert "is not a node" in world.messages[-1]


async def test_leaving_needs_the_master_and_the_error_names_reset(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    before = world.files()
    identity = files.load(world.state)
    assert identity is not None
    files.save(world.state, replace(identity, session_address="127.0.0.1:1"))
    with pytest.raises(MembershipError, match="sampan reset") as away:
        await world.leave()
    assert type(away.value) is MasterUnreachable
    assert world.files() == before
    await world.reset()
    assert world.files() == []
    assert any("kubectl delete node n" in line for line in world.messages)


async def test_a_node_that_was_deleted_meanwhile_only_cleans_its_host(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    identity = await world.master.identities.get("n")
    assert identity is not None
    await world.master.identities.free(identity)
    await world.leave()
    assert any("does not know node n" in line for line in world.messages)
    assert world.files() == []


async def test_what_cannot_be_removed_is_reported_and_the_identity_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.systemd.installed = False
    await world.join()
    before = world.files()
    monkeypatch.setattr(departure, "clean", lambda config, cluster_id="": ("containers: the engine is away",))
    with pytest.raises(MembershipError, match="not clean yet"):
        await world.reset()
    assert "could not be removed: containers: the engine is away" in world.messages
    assert world.files() == before
    with pytest.raises(MembershipError, match="removed all the same"):
        await world.reset(force=True)
    assert world.files() == []


@pytest.mark.parametrize("damage", [files.IDENTITY, "agent.toml"])
async def test_a_reset_cleans_a_damaged_host(world: World, damage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    world.systemd.installed = False
    await world.join()
    cleaned: list[tuple[AgentConfig, str]] = []

    def clean(config: AgentConfig, cluster_id: str = "") -> tuple[str, ...]:
        cleaned.append((config, cluster_id))
        return ()

    monkeypatch.setattr(departure, "clean", clean)
    path = world.config if damage == "agent.toml" else world.state / damage
    path.write_text("{")
    await world.reset()
    ((config, cluster_id),) = cleaned
    assert (config.state_dir, config.node_name) == (world.state, "n")
    assert bool(cluster_id) == (damage == "agent.toml")
    assert files.load(world.state) is None


async def test_a_reset_of_a_host_that_is_not_a_node_does_nothing(world: World) -> None:
    await world.reset()
    await world.reset()
    assert world.files() == []
    assert world.systemd.verbs == ["disable", "disable"]


async def test_a_reset_without_identity_uses_the_name_that_join_would_use(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    cleaned: list[str] = []
    monkeypatch.setattr(departure, "clean", lambda config, cluster_id="": cleaned.append(config.node_name) or ())
    monkeypatch.setattr("socket.gethostname", lambda: "Node-1.example.org")
    await world.reset()
    assert cleaned == ["node-1"], "its containers carry that one"


@pytest.mark.parametrize("command", ["leave", "reset"])
async def test_a_host_leaves_after_its_route_to_the_master_has_changed(
    world: World, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    route = ["10.0.0.1"]
    monkeypatch.setattr(host, "source_of_route", lambda _: route[0])
    monkeypatch.setattr(host, "addresses", lambda: ["10.0.0.1", "192.168.1.5"])
    world.systemd.installed = False
    await world.join(settings={"node_address": ""})
    async with world.agent():
        pass  # killed: the master takes it for alive, and its session is not over
    route[0] = "192.168.1.5"
    await getattr(world, command)()
    assert await world.master.identities.get("n") is None, "and nothing is kept back"
    assert world.files() == []


async def test_a_leave_whose_pods_do_not_end_reports_the_cordon_and_a_join_undoes_it(
    world: World,
) -> None:
    world.systemd.installed = False
    await world.join()
    async with world.agent():
        await world.pod()
        with pytest.raises(MembershipError, match=r"still there after 1 s: default/web"):
            await world.leave(drain_s=1.0)
        assert "cordoned node n" in world.messages[-1] and "`sampan token create`" in world.messages[-1]
        assert world.master.node("n").spec.unschedulable
        await world.join()
        assert world.messages[-1] == "node n is Ready"
        assert not world.master.node("n").spec.unschedulable


async def test_an_interrupted_leave_reports_the_cordon(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    caught: list[BaseException] = []

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    def attempt() -> None:
        try:
            leave(
                replace(world.this_host, sleep=interrupted),
                LeaveRequest(world.config, world.state, Path("engine.sock")),
            )
        except KeyboardInterrupt as error:  # must not reach the loop, which it would end
            caught.append(error)

    async with world.agent():
        await world.pod()
        await asyncio.to_thread(attempt)
    assert caught and "cordoned node n" in world.messages[-1]


async def test_a_copy_of_the_host_is_cleaned_and_the_node_stays(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.systemd.installed = False
    await world.join()
    copy = World(world.master, world.api, tmp_path / "copy")
    shutil.copytree(world.directory, copy.directory)
    copy.config.write_text(copy.config.read_text().replace(str(world.state), str(copy.state)))
    before = copy.files()
    async with world.agent() as end:
        monkeypatch.setattr(host, "machine_id", lambda _: "of-the-copy")
        copy.systemd.inactive = 100
        with pytest.raises(MembershipError, match=r"node n is a member, but not Ready .*another machine.*sampan reset"):
            await copy.join(settings={"state_dir": str(copy.state)})
        with pytest.raises(MembershipError, match=r"nothing was changed: if this host is a copy, `sampan reset`"):
            await copy.leave()
        assert copy.files() == before
        await copy.reset()
        assert any("so the node is left alone" in line for line in copy.messages)
        assert copy.files() == []
        assert world.master.ready("n") == "True" and not world.master.node("n").spec.unschedulable
        assert not end.machine.left


async def test_the_state_of_an_agent_that_systemd_does_not_run_stays(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    before = world.files()
    with (
        files.locked(world.state),
        pytest.raises(MembershipError, match=r"that systemd did not start runs on .*: stop it") as busy,
    ):
        await world.reset()
    assert type(busy.value) is HostBusy
    assert world.files() == before
