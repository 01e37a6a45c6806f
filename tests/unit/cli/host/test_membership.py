"""Joining, leaving, reset: the order of steps, what is said, and what is left after each way to fail.

The master is the real one over REST and gRPC on loopback; the host's kernel and engine are not touched: `clean` is
replaced, and the unit is one that only remembers.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from agent import departure
from agent import host as agent_host
from agent.config import AgentConfig, ConfigError
from agent.identity import files
from cli import exits
from cli.host import membership_config
from cli.host.config import text_of
from cli.host.layout import HostLayout
from cli.host.membership import Host, JoinRequest, MembershipError, join
from cli.host.membership_departure import LeaveRequest, ResetRequest, leave, reset
from cli.host.preflight.finding import Finding, error, warning
from master.api.server import ApiServer
from master.config import MasterConfig
from master.pki import Pki
from tests.fakes.sessions import TOKEN, AgentEnd, MasterEnd, master_end, prepare_pki, until

pytestmark = pytest.mark.timeout(60)


@dataclass
class Unit:
    """Remembers what was asked of it."""

    installed: bool = True
    asked: list[str] = field(default_factory=list)
    inactive: int = 0
    """How often it still says that it has not started."""

    def start(self) -> None:
        self.asked.append("start")

    def stop(self) -> None:
        self.asked.append("stop")

    def active(self) -> bool:
        self.inactive -= 1
        return self.inactive < 0

    def state(self) -> str:
        return "failed (exit-code)"

    def last_line(self) -> str:
        return "no route to the engine"


@dataclass
class World:
    """A host in a directory, and a master."""

    master: MasterEnd
    api: ApiServer
    directory: Path
    unit: Unit = field(default_factory=Unit)
    said: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    slept_s: float = 0.0

    @property
    def config(self) -> Path:
        return self.directory / "etc" / "agent.toml"

    @property
    def state(self) -> Path:
        return self.directory / "state"

    @property
    def here(self) -> Host:
        return Host(
            unit=self.unit,
            say=self.said.append,
            sleep=self._sleep,
            monotonic=lambda: self.slept_s,
            findings=lambda _: self.findings,
        )

    def _sleep(self, seconds: float) -> None:
        """Ten times as fast as the clock."""
        self.slept_s += seconds
        time.sleep(seconds / 10)

    def request(self, **change: Any) -> JoinRequest:
        master = f"https://127.0.0.1:{self.api.port}"
        wanted = {"state_dir": str(self.state), "node_name": "n", "master": master, "node_address": "10.0.0.1"}
        values: dict[str, Any] = {"token": TOKEN, "ca_hash": self.master.pki.ca_hash, "timeout_s": 3.0} | change
        return JoinRequest(config_path=self.config, wanted=wanted | values.pop("wanted", {}), **values)

    async def join(self, **change: Any) -> None:
        await asyncio.to_thread(join, self.here, self.request(**change))

    async def leave(self, **options: Any) -> None:
        await asyncio.to_thread(leave, self.here, LeaveRequest(self.config, **options))

    async def reset(self, **options: Any) -> None:
        request = ResetRequest(self.config, self.state, self.directory / "engine.sock", **options)
        await asyncio.to_thread(reset, self.here, request)

    @asynccontextmanager
    async def agent(self) -> AsyncIterator[AgentEnd]:
        """The host's agent, and its node Ready."""
        identity = files.load(self.state)
        assert identity is not None
        machine = {"machine": agent_host.machine_id(self.state), "address": "10.0.0.1"}
        with ExitStack() as holding:
            holding.enter_context(files.locked(self.state))
            async with AgentEnd(identity, self.state, **machine).running() as end, asyncio.TaskGroup() as group:

                async def ends() -> None:
                    await end.done.wait()
                    files.wipe(self.state)
                    holding.close()

                task = group.create_task(ends())
                await until(lambda: self.master.ready("n") == "True")
                yield end
                task.cancel()

    def files(self) -> list[str]:
        return sorted(str(path.relative_to(self.directory)) for path in self.directory.rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return prepare_pki(tmp_path_factory.mktemp("master"))


@pytest_asyncio.fixture
async def world(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(departure, "clean", lambda config, cluster_id="": ())
    async with master_end(pki) as master:
        master.join._session_port = master.server.port
        config = MasterConfig(
            data_dir=tmp_path, listen_address="127.0.0.1", api_port=0, advertise_addresses=("127.0.0.1",)
        )
        api = ApiServer(config, master.resources, pki, master.logs, master.join, clock=master.clock)
        task = asyncio.create_task(api.run())
        await api.ready.wait()
        (tmp_path / "host").mkdir()
        yield World(master, api, tmp_path / "host")
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_host_joins_starts_its_unit_and_is_waited_for(world: World) -> None:
    waiting = asyncio.create_task(world.join(timeout_s=200.0))
    await until(lambda: "start" in world.unit.asked)
    async with world.agent():
        await waiting
    assert world.said[-1] == "node n is Ready"
    assert world.files() == ["etc/agent.toml", "state/identity.json", "state/lock"]


async def test_joining_twice_waits_again_and_changes_nothing(world: World) -> None:
    world.unit.installed = False
    await world.join()
    before = {name: (world.directory / name).read_bytes() for name in world.files()}
    world.unit.installed = True
    async with world.agent():
        await world.join()
    assert "already" in "".join(world.said)
    assert {name: (world.directory / name).read_bytes() for name in world.files()} == before


async def test_a_node_that_was_away_is_not_ready_before_its_own_agent_says_so(world: World) -> None:
    world.unit.installed = False
    await world.join()
    world.unit.installed, world.unit.inactive = True, 3
    async with world.agent():
        await until(lambda: world.master.ready("n") == "True")
        await world.join()
    assert world.slept_s > 0 and world.unit.inactive < 0
    assert world.said[-1] == "node n is Ready"


async def test_where_nothing_is_installed_the_next_step_is_told(world: World) -> None:
    world.unit.installed = False
    await world.join()
    assert "`sampan agent --config" in world.said[-1]
    assert world.unit.asked == []


async def test_a_node_that_does_not_get_ready_says_why(world: World) -> None:
    with pytest.raises(MembershipError) as late:
        await world.join()
    for part in ("not Ready after 3 s", "has not spoken", "does not run", "failed (exit-code)", "no route to the"):
        assert part in str(late.value)
    world.findings = []
    async with world.agent() as end:
        end.machine.is_ready = "False"
        end.machine.beat_now.set()
        await until(lambda: world.master.ready("n") == "False")
        with pytest.raises(MembershipError, match="Ready is False: AgentReady"):
            await world.join()


async def test_a_member_of_another_cluster_is_refused_with_the_way_out(world: World) -> None:
    world.unit.installed = False
    await world.join()
    before = world.files()
    with pytest.raises(MembershipError, match=r"another cluster.* `sampan leave` first, or `sampan reset`"):
        await world.join(ca_hash="sha256:" + "0" * 64)
    assert world.files() == before


async def test_errors_of_the_preflight_refuse_unless_they_are_ignored(world: World) -> None:
    world.unit.installed = False
    world.findings = [
        error("mtu", "600", "more"),
        error("master-answer", "no", "start it"),
        warning("swap", "on", "off"),
    ]
    with pytest.raises(MembershipError, match="--ignore-preflight-errors mtu,master-answer") as refused:
        await world.join()
    assert refused.value.code == exits.UNREACHABLE
    with pytest.raises(MembershipError, match="mend mtu,") as refused:
        await world.join(ignored=["master-answer"])
    assert refused.value.code == exits.FAILED
    assert world.files() == []
    assert any("WARNING swap" in line for line in world.said)
    await world.join(ignored=["all"])
    assert files.load(world.state) is not None


@pytest.mark.parametrize(
    ("change", "code", "says"),
    [
        pytest.param({"token": "abcdef.fedcba9876543210"}, exits.FAILED, "not valid", id="wrong token"),
        pytest.param({"token": "nonsense"}, exits.FAILED, "form abcdef", id="no token"),
        pytest.param({"ca_hash": "sha256:" + "0" * 64}, exits.FAILED, "another cluster", id="another CA"),
        pytest.param({"wanted": {"master": "https://127.0.0.1:1"}}, exits.UNREACHABLE, "no answer", id="master away"),
        pytest.param({"wanted": {"node_name": "taken"}}, exits.FAILED, "exists already", id="name taken"),
    ],
)
async def test_a_join_that_is_refused_after_the_preflight_leaves_nothing(
    world: World, change: dict[str, Any], code: int, says: str
) -> None:
    await world.master.identity("taken")
    with pytest.raises(MembershipError, match=says) as refused:
        await world.join(**change)
    assert refused.value.code == code
    assert "nothing was changed" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert [name for name in world.files() if name != "state/pending.key" and name != "state/lock"] == []


async def test_a_join_that_is_interrupted_is_repeated(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.unit.installed = False
    real, before = agent_host.join, files.save

    def interrupted(state_dir: Path, identity: files.Identity) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "save", interrupted)
    caught: list[BaseException] = []

    def attempt() -> None:
        try:
            join(world.here, world.request())
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


async def test_a_full_disk_leaves_no_half_configuration(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        await world.join()
    assert world.files() == []


async def test_a_configuration_of_a_person_is_used_and_stays(world: World) -> None:
    world.unit.installed = False
    world.config.parent.mkdir()
    text = f'state_dir = "{world.state}"\nnode_name = "mine"\nmaster = "https://127.0.0.1:{world.api.port}"\n'
    world.config.write_text(text)
    with pytest.raises(ConfigError, match="node_name is mine, not n"):
        await world.join()
    await world.join(wanted={"node_name": "", "state_dir": ""})
    identity = files.load(world.state)
    assert identity is not None
    assert identity.node_name == "mine"
    await world.reset()
    assert world.config.read_text() == text
    world.config.write_text(text.replace("127.0.0.1", "10.9.9.9"))
    with pytest.raises(ConfigError, match=r"master is https://10\.9\.9\.9"):
        await world.join(wanted={"node_name": ""})


async def test_a_node_leaves_with_its_agent_running_and_a_second_time_is_no_node(world: World) -> None:
    world.unit.installed = False
    await world.join()
    async with world.agent() as end:
        await world.leave()
        assert end.machine.left
    assert world.master.node("n") is None
    assert world.unit.asked == ["stop"]
    assert world.files() == []
    await world.leave()
    assert "is no node" in world.said[-1]
    # The name is free at once.
    await world.join()


async def test_a_node_whose_agent_is_dead_leaves_too(world: World) -> None:
    world.unit.installed = False
    await world.join()
    async with world.agent():
        pass
    await world.leave()
    assert world.master.node("n") is None
    assert await world.master.identities.get("n") is None, "reported that nothing is left"


async def test_leaving_needs_the_master_and_says_what_does_not(world: World) -> None:
    world.unit.installed = False
    await world.join()
    before = world.files()
    identity = files.load(world.state)
    assert identity is not None
    files.save(world.state, replace(identity, session_address="127.0.0.1:1"))
    with pytest.raises(MembershipError, match="sampan reset") as away:
        await world.leave()
    assert away.value.code == exits.UNREACHABLE
    assert world.files() == before
    await world.reset()
    assert world.files() == []
    assert any("kubectl delete node n" in line for line in world.said)


async def test_a_node_that_was_deleted_meanwhile_only_cleans_its_host(world: World) -> None:
    world.unit.installed = False
    await world.join()
    identity = await world.master.identities.get("n")
    assert identity is not None
    await world.master.identities.free(identity)
    await world.leave()
    assert any("does not know node n" in line for line in world.said)
    assert world.files() == []


async def test_what_cannot_be_removed_is_said_and_the_node_not_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.unit.installed = False
    await world.join()
    before = world.files()
    monkeypatch.setattr(departure, "clean", lambda config, cluster_id="": ("containers: the engine is away",))
    with pytest.raises(MembershipError, match="not clean yet"):
        await world.reset()
    assert "could not be removed: containers: the engine is away" in world.said
    assert world.files() == before
    with pytest.raises(MembershipError, match="forgotten nevertheless"):
        await world.reset(force=True)
    assert world.files() == []


@pytest.mark.parametrize("damage", [files.IDENTITY, "agent.toml"])
async def test_a_reset_goes_by_what_is_left_of_a_damaged_host(
    world: World, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.unit.installed = False
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


async def test_a_reset_twice_and_of_a_host_that_never_was_a_node(world: World) -> None:
    await world.reset()
    await world.reset()
    assert world.files() == []
    assert world.unit.asked == ["stop", "stop"]


async def test_an_agent_that_somebody_else_runs_is_not_taken_its_state(world: World) -> None:
    world.unit.installed = False
    await world.join()
    before = world.files()
    with files.locked(world.state), pytest.raises(MembershipError, match="not by systemd: stop it") as busy:
        await world.reset()
    assert busy.value.code == exits.BUSY
    assert world.files() == before


def test_only_root_may(monkeypatch: pytest.MonkeyPatch) -> None:
    from cli.main import main

    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for words in (["leave"], ["reset"], ["join", "10.0.0.1", "--token", TOKEN, "--ca-hash", "sha256:0"]):
        assert main(words) == exits.FAILED


def test_the_written_configuration_is_known_again_until_it_is_changed(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    wanted = {"state_dir": "/s", "node_name": "n", "master": "https://m:6443", "node_address": "", "engine_socket": ""}
    membership_config.write(path, membership_config.render(wanted))
    assert membership_config.is_ours(path)
    path.write_text(path.read_text() + "max_pods = 5\n")
    assert not membership_config.is_ours(path)
    assert membership_config.remove(path)
    assert path.exists()


def test_to_an_installed_configuration_the_master_is_added_and_taken_away_again(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    text = text_of("agent", HostLayout(), {"node_name": "n", "labels": {"a": "b"}})
    path.write_text(text)
    config, written = membership_config.chosen(path, {"master": "https://m:6443", "node_name": "", "state_dir": ""})
    assert (config.master, config.node_name, config.labels) == ("https://m:6443", "n", {"a": "b"})
    membership_config.write(path, written)
    assert membership_config.chosen(path, {"master": "https://m:6443"})[1] == "", "a second time changes nothing"
    other, _ = membership_config.chosen(path, {"master": "https://other:6443"})
    assert other.master == "https://other:6443", "a join that came to nothing may be followed by another one"
    with pytest.raises(ConfigError, match="node_name is n, not m"):
        membership_config.chosen(path, {"master": "https://m:6443", "node_name": "m"})
    assert membership_config.remove(path)
    assert path.read_text() == text
    assert membership_config.known(path).node_name == "n", "a second leave, or a reset, has no master to read"
