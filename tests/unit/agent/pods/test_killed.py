"""An agent is killed before or after each of its calls: the next one reaches exactly the desired state."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import TypeVar

import pytest

from agent.clock import Clock
from agent.model import Container, EmptyDir, HostPort, Pod, PodUid, Volume, VolumeMount
from agent.runtime.containers import ContainerSpec
from agent.runtime.fake import FakeRuntime
from agent.runtime.records import ContainerId, ContainerRecord
from tests.unit.agent.fakes import FakeNetwork, HandClock, settle
from tests.unit.agent.pods.bed import IMAGE, UID, Bed, desired, make_bed, pod

T = TypeVar("T")

pytestmark = pytest.mark.usefixtures("one_file_thread")

MOST_CALLS = 60
MOUNTED = Container("app", IMAGE, volume_mounts=(VolumeMount("data", "/d"),))
WANTED = pod(containers=(MOUNTED, Container("side", IMAGE)), volumes=(Volume("data", EmptyDir()),))


@dataclass
class Fate:
    """After that many calls no call returns any more; `done`: the last one still takes effect."""

    left: int
    done: bool
    dead: bool = False

    async def call(self, work: Callable[[], Awaitable[T]]) -> T:
        if self.dead:
            await asyncio.Event().wait()
        if self.left > 0:
            self.left -= 1
            return await work()
        self.dead = True
        if self.done:
            await work()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    def spare(self) -> None:
        """Let the next agent live."""
        self.left, self.dead = 10_000, False


class MortalRuntime(FakeRuntime):
    """An engine whose caller is killed."""

    def __init__(self, clock: Clock, fate: Fate) -> None:
        super().__init__(clock)
        self.fate = fate

    async def create(self, spec: ContainerSpec) -> ContainerId:
        return await self.fate.call(lambda: super(MortalRuntime, self).create(spec))

    async def start(self, container: ContainerId) -> None:
        await self.fate.call(lambda: super(MortalRuntime, self).start(container))

    async def signal(self, container: ContainerId, signal: str) -> None:
        await self.fate.call(lambda: super(MortalRuntime, self).signal(container, signal))

    async def remove(self, container: ContainerId) -> None:
        await self.fate.call(lambda: super(MortalRuntime, self).remove(container))

    async def inspect(self, container: str) -> ContainerRecord:
        return await self.fate.call(lambda: super(MortalRuntime, self).inspect(container))

    async def list(self, labels: Mapping[str, str]) -> list[ContainerRecord]:
        return await self.fate.call(lambda: super(MortalRuntime, self).list(labels))


class MortalNetwork(FakeNetwork):
    """A network whose caller is killed."""

    def __init__(self, fate: Fate) -> None:
        super().__init__()
        self.fate = fate

    async def attach(self, uid: PodUid, pid: int, ports: Sequence[HostPort] = ()) -> IPv4Address:
        return await self.fate.call(lambda: super(MortalNetwork, self).attach(uid, pid, ports))

    async def detach(self, uid: PodUid) -> None:
        await self.fate.call(lambda: super(MortalNetwork, self).detach(uid))

    async def release(self, uid: PodUid) -> None:
        await self.fate.call(lambda: super(MortalNetwork, self).release(uid))


def mortal_bed(directory: Path, fate: Fate) -> Bed:
    clock = HandClock()
    return make_bed(directory, MortalRuntime(clock, fate), MortalNetwork(fate), clock=clock)


async def live(bed: Bed, web: Pod, seconds: float = 0.0, *, complete: bool = True) -> None:
    """Run one agent; `seconds`: let that much time pass."""
    async with bed.manager() as manager:
        await manager.apply(desired(web), complete=complete)
        await settle()
        if seconds:
            await bed.clock.advance(seconds)


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("snapshot", [False, True], ids=["from disk", "from the master"])
async def test_killed_while_creating_a_pod(tmp_path: Path, done: bool, snapshot: bool) -> None:
    for calls in range(MOST_CALLS):
        fate = Fate(calls, done)
        bed = mortal_bed(tmp_path / str(calls), fate)
        await live(bed, WANTED)
        died = fate.dead
        fate.spare()
        await live(bed, WANTED, complete=snapshot)
        assert bed.names() == ["sampan_u1_POD_0", "sampan_u1_app_0", "sampan_u1_side_0"], calls
        assert all(record.running for record in bed.engine.named("")), calls
        assert bed.ready() and list(bed.network.addresses) == [UID], calls
        assert [container.restart_count for container in bed.reporter.statuses[UID].containers] == [0, 0], calls
        assert not [event for event in bed.reporter.events if event.warning], calls
        if not died:
            assert calls > 5
            return
    raise AssertionError("it never lived")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_killed_while_deleting_a_pod(tmp_path: Path, done: bool) -> None:
    for calls in range(MOST_CALLS):
        fate = Fate(10_000, done)
        bed = mortal_bed(tmp_path / str(calls), fate)
        await live(bed, WANTED)
        fate.left = calls
        deleted = replace(WANTED, deletion_at=bed.clock.now)
        await live(bed, deleted)
        died = fate.dead
        fate.spare()
        await live(bed, deleted, 60)
        assert bed.names() == [] and not bed.network.addresses and not bed.network.wired, calls
        assert list((bed.config.state_dir / "pods").iterdir()) == [], calls
        assert UID in bed.reporter.gone, calls
        if not died:
            assert calls > 5
            return
    raise AssertionError("it never lived")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_killed_while_replacing_a_container(tmp_path: Path, done: bool) -> None:
    for calls in range(MOST_CALLS):
        fate = Fate(10_000, done)
        bed = mortal_bed(tmp_path / str(calls), fate)
        await live(bed, WANTED)
        side = bed.engine.named("side")[0].id
        bed.engine.end("sampan_u1_app_0", 1)
        fate.left = calls
        await live(bed, WANTED)
        died = fate.dead
        fate.spare()
        await live(bed, WANTED)
        assert [record.name for record in bed.engine.named("") if record.running] == [
            "sampan_u1_POD_0",
            "sampan_u1_app_1",
            "sampan_u1_side_0",
        ], calls
        assert bed.engine.named("side")[0].id == side, calls
        assert bed.reporter.statuses[UID].containers[0].restart_count == 1, calls
        if not died:
            return
    raise AssertionError("it never lived")


@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
async def test_killed_while_cleaning_up_an_unknown_pod(tmp_path: Path, done: bool) -> None:
    for calls in range(MOST_CALLS):
        fate = Fate(10_000, done)
        bed = mortal_bed(tmp_path / str(calls), fate)
        await live(bed, WANTED)
        fate.left = calls
        for _ in range(2):
            async with bed.manager() as manager:
                await manager.apply(desired(), complete=True)
                await bed.clock.advance(30)
                died, idle = fate.dead, manager.idle
            if not died:
                break
            fate.spare()
        assert idle and bed.names() == [] and not bed.network.addresses, calls
        if calls > 30:
            return
