"""Local volumes of claims belong to the group of the pod, by its policy, once, and only if no other pod uses them."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import Container, Desired, HostPath, Pod, PodUid, Volume
from agent.volumes.calls import VolumeCalls
from agent.volumes.errors import VolumeError
from agent.volumes.manager import Volumes
from agent.volumes.ownership import Stopped, TooDeep, give_tree
from tests.fakes.sessions import until
from tests.unit.agent.fakes import FakeBinds, FakeMemoryFiles

GROUP = os.getegid()
LOCAL = Volume("data", HostPath("/data", "Directory"), owned_by_group=True)
WEB = Pod(PodUid("u1"), "default", "web", (Container("app", "web:1"),), volumes=(LOCAL,), fs_group=GROUP)
OTHER = replace(WEB, uid=PodUid("u2"))
DESIRED = Desired(pods={})


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A volume with files that only their owner may use."""
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "sub" / "file").touch(mode=0o600)
    (data / "program").touch()
    (data / "program").chmod(0o4700)
    (data / "link").symlink_to("sub/file")
    os.mkfifo(data / "pipe", 0o600)
    for directory in (data / "sub", data):
        directory.chmod(0o700)
    return data


@pytest.fixture
def volumes(tmp_path: Path) -> Volumes:
    return new_volumes(tmp_path, VolumeCalls())


def new_volumes(directory: Path, calls: VolumeCalls) -> Volumes:
    return Volumes(
        state_dir=directory / "state",
        host_path_root=directory,
        memory=FakeMemoryFiles(),
        binds=FakeBinds(),
        calls=calls,
    )


def close(data: Path) -> None:
    """Takes a file and its directory from the group."""
    (data / "sub" / "file").chmod(0o600)
    data.chmod(0o700)


def is_closed(data: Path) -> bool:
    return mode_of(data / "sub" / "file") == 0o600


async def test_everything_in_it_belongs_to_the_group(volumes: Volumes, data: Path) -> None:
    await volumes.prepare(WEB, DESIRED)
    assert mode_of(data) == mode_of(data / "sub") == 0o2770
    assert mode_of(data / "sub" / "file") == mode_of(data / "pipe") == 0o660
    assert mode_of(data / "program") == 0o4760, "other bits stay"
    assert {path.lstat().st_gid for path in (data, *data.rglob("*"))} == {GROUP}


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(replace(WEB, fs_group=None), id="no group"),
        pytest.param(replace(WEB, volumes=(replace(LOCAL, owned_by_group=False),)), id="a host path"),
    ],
)
async def test_other_volumes_stay_as_they_are(volumes: Volumes, data: Path, pod: Pod) -> None:
    await volumes.prepare(pod, DESIRED)
    assert is_closed(data)


async def test_it_is_changed_once_for_each_pod_also_by_the_next_agent(tmp_path: Path, data: Path) -> None:
    for _ in range(2):
        volumes = new_volumes(tmp_path, VolumeCalls())
        await volumes.prepare(WEB, DESIRED)
        close(data)
    await volumes.prepare(WEB, DESIRED)
    assert is_closed(data), "what the pod has changed stays"
    await volumes.clean(WEB.uid)
    await volumes.prepare(OTHER, DESIRED)
    assert not is_closed(data)


async def test_it_is_not_changed_while_another_pod_uses_it(volumes: Volumes, data: Path) -> None:
    await volumes.prepare(WEB, DESIRED)
    close(data)
    await volumes.prepare(OTHER, DESIRED)
    await volumes.clean(WEB.uid)
    await volumes.prepare(replace(WEB, uid=PodUid("u3")), DESIRED)
    assert is_closed(data)
    for uid in ("u2", "u3"):
        await volumes.clean(PodUid(uid))
    await volumes.prepare(WEB, DESIRED)
    assert not is_closed(data)


async def test_on_root_mismatch_looks_at_the_directory_only(volumes: Volumes, data: Path) -> None:
    data.chmod(0o2770)
    await volumes.prepare(replace(WEB, fs_group_on_mismatch=True), DESIRED)
    assert is_closed(data)
    await volumes.clean(WEB.uid)
    data.chmod(0o770)
    await volumes.prepare(replace(WEB, fs_group_on_mismatch=True), DESIRED)
    assert not is_closed(data) and mode_of(data) == 0o2770


class SlowCalls(VolumeCalls):
    """Changes of files begin when they are released."""

    def __init__(self) -> None:
        super().__init__()
        self.change_s = 0.01
        self.released = asyncio.Event()
        self.changes = 0

    async def change(self, path: Path, call: Callable[[], None]) -> None:
        self.changes += 1
        await self.released.wait()
        await super().change(path, call)


async def test_a_change_that_takes_long_goes_on_while_its_pod_is_tried_again(tmp_path: Path, data: Path) -> None:
    calls = SlowCalls()
    volumes = new_volumes(tmp_path, calls)
    for _ in range(2):
        with pytest.raises(VolumeError, match=f'volume "data": its files are still being given to group {GROUP}'):
            await volumes.prepare(WEB, DESIRED)
    calls.released.set()
    await until(lambda: not is_closed(data))
    calls.change_s = 60.0
    await volumes.prepare(WEB, DESIRED)
    assert calls.changes == 1 and mode_of(data) == 0o2770


async def test_a_change_ends_with_its_pod(tmp_path: Path, data: Path) -> None:
    calls = SlowCalls()
    volumes = new_volumes(tmp_path, calls)
    with pytest.raises(VolumeError, match="still being given"):
        await volumes.prepare(WEB, DESIRED)
    await volumes.clean(WEB.uid)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("group of")]
    assert is_closed(data)


def test_a_change_that_is_stopped_leaves_the_directory_for_the_next_one(data: Path) -> None:
    answers = iter([True, True, False])
    with pytest.raises(Stopped):
        give_tree(data, GROUP, on_mismatch=True, goes_on=lambda: next(answers))
    assert mode_of(data) == 0o700
    give_tree(data, GROUP, on_mismatch=True, goes_on=lambda: True)
    assert not is_closed(data)


def test_a_tree_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*["d"] * 150)
    deep.mkdir(parents=True)
    with pytest.raises(TooDeep, match="100 levels"):
        give_tree(tmp_path, GROUP, on_mismatch=False, goes_on=lambda: True)


async def test_a_volume_that_cannot_be_changed_is_named(volumes: Volumes, data: Path) -> None:
    data.joinpath(*["d"] * 150).mkdir(parents=True)
    with pytest.raises(VolumeError, match='volume "data": its files cannot be given to group'):
        await volumes.prepare(WEB, DESIRED)
