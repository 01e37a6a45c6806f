"""Volumes on a file system that really hangs: pods that need it get an error that names it, and no others notice."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.model import Container, Desired, EmptyDir, HostPath, Nfs, Pod, PodUid, Volume
from agent.usage.meter import Meter
from agent.usage.targets import PodTarget, VolumeTarget
from agent.usage.written import Written
from agent.volumes.binds import KernelBinds
from agent.volumes.calls import AT_ONCE, VolumeCalls, place_of
from agent.volumes.errors import VolumeError
from agent.volumes.manager import Volumes
from agent.volumes.memory import TmpfsFiles
from agent.volumes.subpaths import SubPath
from hull.mounts import mounts_below
from tests.fakes.hangingfiles import hanging

DESIRED = Desired(pods={})
pytestmark = pytest.mark.timeout(60)


def pod(uid: str, *volumes: Volume) -> Pod:
    return Pod(PodUid(uid), "default", uid, (Container("app", "web:1"),), volumes=volumes)


@pytest.fixture
def dead(tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / "dead"
    directory.mkdir()
    with hanging(directory):
        yield directory


def new_volumes(directory: Path, *, foreign_s: float) -> Volumes:
    return Volumes(
        state_dir=directory / "state",
        host_path_root=directory,
        memory=TmpfsFiles(),
        binds=KernelBinds(),
        calls=VolumeCalls(foreign_s=foreign_s),
    )


async def test_a_path_that_hangs_stops_only_the_pods_that_need_it(tmp_path: Path, dead: Path) -> None:
    volumes = new_volumes(tmp_path, foreign_s=600)
    victims = [
        asyncio.create_task(volumes.prepare(pod(f"victim-{n}", Volume("v", HostPath("/dead/x"))), DESIRED))
        for n in range(4 * AT_ONCE)
    ]
    others = [pod(f"other-{n}", Volume("h", HostPath("/data")), Volume("e", EmptyDir())) for n in range(4 * AT_ONCE)]
    for other in others:
        made = await volumes.prepare(other, DESIRED)
        inside = await volumes.mount_source(other, made["h"], SubPath("h", "part", "app", 0))
        assert made["e"].is_dir() and inside.is_dir()
        await volumes.clean(other.uid)
    assert not any(victim.done() for victim in victims) and not mounts_below(tmp_path / "state")
    for victim in victims:
        victim.cancel()
    await asyncio.wait(victims)


async def test_a_path_that_hangs_is_named_with_its_volume_and_the_pod_can_be_removed(
    tmp_path: Path, dead: Path
) -> None:
    volumes = new_volumes(tmp_path, foreign_s=0.05)
    web = pod("web", Volume("own", EmptyDir()), Volume("data", HostPath("/dead/x")))
    for _ in range(2):
        with pytest.raises(VolumeError, match=r'volume "data": hostPath "/dead/x" hangs: no answer within 0\.05 s'):
            await volumes.prepare(web, DESIRED)
    assert (volumes.directory(web.uid) / "volumes" / "own").is_dir(), "it does not wait for the other"
    with pytest.raises(VolumeError, match='subPath "a" of volume "data" hangs'):
        await volumes.mount_source(web, dead, SubPath("data", "a", "app", 0))
    await volumes.clean(web.uid)
    assert not volumes.directory(web.uid).exists()


async def test_a_share_whose_server_is_gone_is_found_before_the_engine_is_asked(tmp_path: Path) -> None:
    volumes = new_volumes(tmp_path, foreign_s=0.05)
    web = pod("web", Volume("data", Nfs("server.example", "/exports")))
    share = volumes.directory(web.uid) / "volumes" / "data"
    share.mkdir(parents=True)
    with hanging(share):
        # An earlier agent has mounted it.
        with pytest.raises(VolumeError, match=r'volume "data": server.example:/exports hangs: no answer'):
            await volumes.prepare(web, DESIRED)
        await volumes.clean(web.uid)
        assert not volumes.directory(web.uid).exists() and not mounts_below(tmp_path)


def test_all_of_a_file_system_that_hangs_as_a_whole_is_one_place(tmp_path: Path, dead: Path) -> None:
    def place(path: str) -> str:
        return place_of(HostPath(path), PodUid("u"), tmp_path)

    assert place("/dead/a") == place("/dead/b/c") == place("/dead") == str(dead)
    assert place("/deadly") == f"{tmp_path}/deadly" != place("/a")
    assert place_of(Nfs("s", "/a"), PodUid("u"), tmp_path) == place_of(Nfs("s", "/b"), PodUid("v"), tmp_path)


class Measured:
    """A pod with one volume."""

    def __init__(self, volume: Path) -> None:
        volumes = (VolumeTarget("data", volume),)
        self._pod = PodTarget("u", "default", "web", 0.0, volumes=volumes, limited=True)

    def measurable(self) -> tuple[PodTarget, ...]:
        return (self._pod,)

    def take_written(self, written: Mapping[str, Written]) -> None:
        assert not written["u"].volumes, "nothing is known of it"


async def test_the_use_of_disks_is_not_known_while_one_hangs(
    tmp_path: Path, dead: Path, caplog: pytest.LogCaptureFixture
) -> None:
    meter = Meter("node1", tmp_path, SystemClock(), link_of=lambda uid: "", longest_s=0.05)
    for _ in range(2):
        await meter.measure_disks(Measured(dead))
        await meter.measure_limited(Measured(dead))
        await meter.measure(Measured(dead))
        assert "a disk hangs: no answer within 0.05 s" in caplog.text and meter.snapshot.machine.state is None
        caplog.clear()


_AGENT = """
import asyncio, pathlib, sys
from agent.model import Desired, HostPath, Pod, PodUid, Volume
from agent.volumes.binds import KernelBinds
from agent.volumes.calls import VolumeCalls
from agent.volumes.manager import Volumes
from agent.volumes.memory import TmpfsFiles

async def main(root):
    calls = VolumeCalls(foreign_s=0.05)
    volumes = Volumes(
        state_dir=root / "state", host_path_root=root, memory=TmpfsFiles(), binds=KernelBinds(), calls=calls
    )
    pod = Pod(PodUid("web"), "default", "web", (), volumes=(Volume("data", HostPath("/dead/x")),))
    await volumes.prepare(pod, Desired(pods={}))

try:
    asyncio.run(main(pathlib.Path(sys.argv[1])))
except Exception as error:
    print(error)
"""


def test_a_process_ends_although_a_call_hangs(tmp_path: Path, dead: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", _AGENT, str(tmp_path)], capture_output=True, text=True, check=True)
    assert ended.stdout == 'volume "data": hostPath "/dead/x" hangs: no answer within 0.05 s\n'
