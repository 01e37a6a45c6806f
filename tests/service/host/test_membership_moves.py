"""Joining again a master that has another address now: the node follows it, or nothing changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent import host as agent_host
from agent.identity import files
from host.membership import agent_toml
from host.membership.errors import HostBusy, MasterUnreachable, MembershipError
from tests.fakes.membership import World
from tests.fakes.sessions import until

pytestmark = pytest.mark.timeout(60)


def moved_away(world: World, *, named: bool) -> None:
    """The master was at 127.0.0.2, where no server listens any more. `named`: agent.toml has its present address."""
    identity = files.load(world.state)
    assert identity is not None
    port = world.master.server.port
    files.save(world.state, replace(identity, session_address=f"127.0.0.2:{port}"))
    if not named:
        world.config.write_text(world.config.read_text().replace("https://127.0.0.1:", "https://127.0.0.2:"))
    world.systemd.installed = world.systemd.runs = True


@pytest.mark.parametrize("named", [False, True], ids=["by the command", "in agent.toml before"])
async def test_a_node_follows_a_master_that_has_moved(world: World, named: bool) -> None:
    world.systemd.installed = False
    await world.join()
    before = files.load(world.state), world.config.read_text()
    moved_away(world, named=named)
    waiting = asyncio.create_task(world.join(timeout_s=200.0))
    await until(lambda: "restart" in world.systemd.verbs or waiting.done())
    async with world.agent():
        await waiting
    assert world.systemd.verbs == ["stop", "enable", "restart"]
    assert (files.load(world.state), world.config.read_text()) == before
    assert any("the session is at 127.0.0.1:" in line and "no longer at 127.0.0.2:" in line for line in world.messages)


@pytest.mark.parametrize("named", [False, True], ids=["by the command", "in agent.toml before, or an interrupted move"])
async def test_a_node_moves_to_the_requested_address_while_the_former_one_answers(world: World, named: bool) -> None:
    world.systemd.installed = False
    port = world.master.server.port
    await world.join()
    if named:
        world.config.write_text(world.config.read_text().replace("https://127.0.0.1:", "https://localhost:"))
    await world.join(settings={"master": f"https://localhost:{world.api.port}"})
    identity = files.load(world.state)
    assert identity is not None and identity.session_address == f"localhost:{port}"
    assert agent_toml.known(world.config).master_host == "localhost"
    assert any(f"the session is at localhost:{port} from now on" in line for line in world.messages)


ROUTES = {"127.0.0.1": "10.0.0.1", "localhost": "192.168.1.5"}
"""This host's address on the way to each of the master's."""


@pytest.mark.parametrize(
    "addresses", [list(ROUTES.values()), []], ids=["", "with an older master, which ignores addresses"]
)
async def test_a_host_with_two_networks_moves_to_the_masters_address_in_the_other_one(
    world: World, monkeypatch: pytest.MonkeyPatch, addresses: list[str]
) -> None:
    monkeypatch.setattr(agent_host, "source_of_route", ROUTES.__getitem__)
    monkeypatch.setattr(agent_host, "addresses", lambda: addresses)
    world.systemd.installed = False
    await world.join(settings={"node_address": ""})
    async with world.agent():
        pass  # it is still taken for alive
    await world.join(settings={"node_address": "", "master": f"https://localhost:{world.api.port}"})
    identity = files.load(world.state)
    assert identity is not None and identity.session_address == f"localhost:{world.master.server.port}"


async def test_the_session_stays_when_no_master_answers_at_the_address_in_agent_toml(
    world: World,
) -> None:
    world.systemd.installed = False
    await world.join()
    world.config.write_text(world.config.read_text().replace("https://127.0.0.1:", "https://127.0.0.3:"))
    before = {name: (world.directory / name).read_bytes() for name in world.files()}
    await world.join(settings={"master": f"https://127.0.0.3:{world.api.port}"})
    assert {name: (world.directory / name).read_bytes() for name in world.files()} == before
    (line,) = [line for line in world.messages if "no answer from the master at 127.0.0.3:" in line]
    assert f"the session stays at 127.0.0.1:{world.master.server.port}" in line and "advertise_addresses" in line


async def test_an_address_without_the_same_master_changes_nothing(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    moved_away(world, named=False)
    before = {name: (world.directory / name).read_bytes() for name in world.files()}
    says = r"no answer from the master at 127\.0\.0\.3:.*nothing was changed.*advertise_addresses"
    with pytest.raises(MembershipError, match=says) as away:
        await world.join(settings={"master": "https://127.0.0.3:6443"})
    assert type(away.value) is MasterUnreachable
    assert {name: (world.directory / name).read_bytes() for name in world.files()} == before
    assert world.systemd.verbs == []


async def test_a_master_from_before_the_join_is_refused(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    moved_away(world, named=False)
    identity = await world.master.identities.get("n")
    assert identity is not None
    await world.master.identities.free(identity)
    with pytest.raises(MembershipError, match=r"does not know node n.*nothing was changed"):
        await world.join()
    assert world.systemd.verbs == []


async def test_an_agent_that_systemd_does_not_run_must_be_stopped_before_a_move(world: World) -> None:
    world.systemd.installed = False
    await world.join()
    moved_away(world, named=False)
    world.systemd.installed = False
    before = {name: (world.directory / name).read_bytes() for name in world.files()}
    with files.locked(world.state), pytest.raises(MembershipError, match="stop it, then run this again") as busy:
        await world.join()
    assert type(busy.value) is HostBusy
    assert {name: (world.directory / name).read_bytes() for name in world.files()} == before
