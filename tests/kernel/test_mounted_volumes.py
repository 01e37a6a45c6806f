"""The volumes of pods on real file systems: foreign mounts stay whole, and no path inside a volume leads out."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from agent.model import (
    Container,
    Desired,
    DownwardFile,
    DownwardSource,
    EmptyDir,
    FilesVolume,
    HostPath,
    KeysSource,
    KeyToPath,
    ObjectRef,
    Pod,
    PodUid,
    Secret,
    TokenSource,
    Volume,
)
from agent.volumes.binds import KernelBinds
from agent.volumes.errors import VolumeError
from agent.volumes.interface import Tokens
from agent.volumes.manager import Volumes
from agent.volumes.memory import TmpfsFiles
from agent.volumes.subpaths import SubPath
from hull import mounts
from hull.mounts import mounts_below

UID = PodUid("u1")


@contextmanager
def mounted(source: Path, directory: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", source, directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


async def test_a_pod_with_a_foreign_mount_is_not_removed_and_the_mounted_data_stay(tmp_path: Path) -> None:
    volumes = Volumes(state_dir=tmp_path / "state", host_path_root=tmp_path, memory=TmpfsFiles(), binds=KernelBinds())
    sources = (Volume("disk", EmptyDir()), Volume("memory", EmptyDir("Memory")))
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=sources)
    made = await volumes.prepare(pod, Desired(pods={}))
    assert made["memory"].is_mount()
    share = tmp_path / "share"
    share.mkdir()
    (share / "file").write_text("the only copy")
    target = made["disk"] / "a b"
    target.mkdir()
    # A bind mount of the same file system: its device number does not differ.
    with mounted(share, target):
        with pytest.raises(VolumeError, match="a b"):
            await volumes.clean(UID)
        assert (share / "file").read_text() == (target / "file").read_text() == "the only copy"
    await volumes.clean(UID)
    assert not volumes.directory(UID).exists() and (share / "file").exists()


def new_volumes(directory: Path) -> Volumes:
    return Volumes(state_dir=directory / "state", host_path_root=directory, memory=TmpfsFiles(), binds=KernelBinds())


@contextmanager
def swapping(directory: Path, link: Path) -> Iterator[None]:
    """Exchanges a directory for a link, and back, as fast as it goes (renameat2(2), RENAME_EXCHANGE)."""
    libc, done = ctypes.CDLL(None, use_errno=True), threading.Event()

    def swap() -> None:
        while not done.is_set():
            libc.renameat2(-100, os.fsencode(directory), -100, os.fsencode(link), 2)

    thread = threading.Thread(target=swap, name="swap")
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("medium", ["", "Memory"])
async def test_a_directory_that_is_swapped_for_a_link_never_leads_out(tmp_path: Path, medium: str) -> None:
    volumes, outside = new_volumes(tmp_path), tmp_path / "outside"
    (outside / "x").mkdir(parents=True)
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=(Volume("v", EmptyDir(medium)),))
    volume = (await volumes.prepare(pod, Desired(pods={})))["v"]
    (volume / "d" / "x").mkdir(parents=True)
    (volume / "d" / "x" / "inside").touch()
    (volume / "l").symlink_to(outside)
    mounts = 0
    with swapping(volume / "d", volume / "l"):
        for _ in range(1000):
            with suppress(VolumeError):  # refused at a moment when it was a link
                target = await volumes.mount_source(pod, volume, SubPath("v", "d/x", "app", 0))
                assert [entry.name for entry in target.iterdir()] == ["inside"]
                mounts += 1
    assert mounts > 0, "the directory itself can be mounted"
    assert sorted(outside.rglob("*")) == [outside / "x"], "nothing was made outside"
    await volumes.clean(UID)
    assert not mounts_below(tmp_path) and not volumes.directory(UID).exists()


async def test_a_file_of_a_volume_is_mounted_again_for_each_instance(tmp_path: Path) -> None:
    volumes = new_volumes(tmp_path)
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=(Volume("v", EmptyDir()),))
    volume = (await volumes.prepare(pod, Desired(pods={})))["v"]
    for text in ("first", "second"):
        (volume / "new").write_text(text)
        (volume / "new").replace(volume / "file")
        # By another agent each time: the mount of the one before is there.
        target = await new_volumes(tmp_path).mount_source(pod, volume, SubPath("v", "file", "app", 1))
        assert target.read_text() == text and mounts_below(target) == [str(target)]
        (volume / "file").unlink()
        assert target.read_text() == text
    await new_volumes(tmp_path).clean(UID)
    assert not mounts_below(tmp_path)


def test_a_file_system_in_memory_has_its_size_and_its_group_and_is_mounted_once(tmp_path: Path) -> None:
    files, directory = TmpfsFiles(), tmp_path / "v"
    files.mount(directory, size_bytes=1 << 20, group=5)
    try:
        (directory / "kept").touch()
        files.mount(directory, size_bytes=1 << 20, group=5)
        assert (directory / "kept").exists()
        usage, found = os.statvfs(directory), directory.stat()
        assert usage.f_blocks * usage.f_frsize == 1 << 20
        assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o2777, 5)
    finally:
        files.unmount(directory)
    assert not mounts.is_mount(directory) and list(directory.iterdir()) == []
    files.unmount(directory)


@pytest.mark.parametrize(
    ("mode", "group", "expected"),
    [(0o777, None, 0o777), (0o777, 5, 0o2777), (0o1700, None, 0o1700), (0o700, 5, 0o2770)],
)
def test_a_volume_in_memory_has_its_mode(tmp_path: Path, mode: int, group: int | None, expected: int) -> None:
    volume, files = tmp_path / "volume", TmpfsFiles()
    files.mount(volume, size_bytes=0, group=group, mode=mode)
    try:
        assert stat.S_IMODE(volume.stat().st_mode) == expected
    finally:
        files.unmount(volume)


def test_a_read_only_tree_leaves_the_original_as_it_is(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    (source / "below").mkdir(parents=True)
    (tmp_path / "share").mkdir()
    target.mkdir()
    assert mounts.has_read_only_trees()
    # Shared mounts, as systemd makes them: a copy would be unmounted together with its original.
    subprocess.run(["mount", "--bind", source, source], check=True)
    subprocess.run(["mount", "--make-shared", source], check=True)
    try:
        with mounted(tmp_path / "share", source / "below"):
            descriptor = os.open(source, os.O_PATH)
            mounts.bind_read_only(descriptor, target)
            os.close(descriptor)
            for place in (target, target / "below"):
                with pytest.raises(OSError, match="Read-only"):
                    (place / "file").touch()
            (source / "below" / "file").touch()
            assert (target / "below" / "file").exists()
            mounts.detach_all(target)
            assert mounts_below(target) == []
            assert mounts.is_mount(source / "below") and (tmp_path / "share" / "file").exists()
    finally:
        subprocess.run(["umount", source], check=True)


async def test_a_volume_is_exposed_as_a_read_only_tree(tmp_path: Path) -> None:
    volumes = new_volumes(tmp_path)
    sources = (Volume("data", HostPath("/data")), Volume("file", HostPath("/file")))
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=sources)
    (tmp_path / "data" / "deep" / "below").mkdir(parents=True)
    (tmp_path / "file").touch()
    with mounted(tmp_path, tmp_path / "data" / "deep" / "below"):
        for index, (volume, path, below) in enumerate(
            [("data", "", "deep/below"), ("data", "deep", "below"), ("file", "", "")]
        ):
            inside = SubPath(volume, path, "app", index, read_only_tree=True)
            exposed = await volumes.mount_source(pod, tmp_path / volume, inside)
            with pytest.raises(OSError, match="Read-only"):
                os.utime(exposed / below)
        await volumes.clean(UID)
        assert mounts.is_mount(tmp_path / "data" / "deep" / "below")


def tree(index: int) -> SubPath:
    return SubPath("data", "", "app", index, read_only_tree=True)


async def test_trees_do_not_contain_each_other(tmp_path: Path) -> None:
    volumes = new_volumes(tmp_path)
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=(Volume("data", HostPath("/")),))
    # All of them are of a directory that contains them, as with a hostPath of `/`.
    counts = [len(mounts_below(await volumes.mount_source(pod, tmp_path, tree(index)))) for index in range(6)]
    assert counts == [1] * 6
    await volumes.clean(UID)
    assert not mounts_below(tmp_path)


async def test_a_tree_that_was_released_holds_no_directory_of_others(tmp_path: Path) -> None:
    volumes = new_volumes(tmp_path)
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=(Volume("data", HostPath("/")),))
    other = replace(pod, uid=PodUid("u2"), volumes=(Volume("m", EmptyDir("Memory")),))
    await volumes.prepare(other, Desired(pods={}))
    exposed = await volumes.mount_source(pod, tmp_path, tree(0))
    assert len(mounts_below(exposed)) == 2
    # Until the container has started, the kernel keeps the other pod's directory.
    with pytest.raises(VolumeError, match="busy"):
        await volumes.clean(other.uid)
    await volumes.release_trees(UID, "app")
    await volumes.clean(other.uid)
    assert not volumes.directory(other.uid).exists()
    await volumes.clean(UID)
    assert not mounts_below(tmp_path)


async def test_the_files_of_a_volume_belong_to_their_users(tmp_path: Path) -> None:
    token = TokenSource("token", user=9)
    ref = ObjectRef("default", "s")
    keys = KeysSource("s", secret=True, items=(KeyToPath("a", "a"), KeyToPath("b", "b", user=7)), user=6)
    downward = DownwardSource((DownwardFile("c", "metadata.name", user=8), DownwardFile("d", "metadata.uid")))
    volume = Volume("files", FilesVolume((keys, downward, token)))
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=(volume,))
    desired = Desired(pods={}, secrets={ref: Secret(ref, {"a": b"1", "b": b"2"})})
    volumes = new_volumes(tmp_path)
    try:
        path = (await volumes.prepare(pod, desired, Tokens({token: b"t"})))["files"]
        owners = {name: (path / name).stat().st_uid for name in ("a", "b", "c", "d", "token")}
        assert owners == {"a": 6, "b": 7, "c": 8, "d": 0, "token": 9}
        assert stat.S_IMODE((path / "token").stat().st_mode) == 0o600
    finally:
        await volumes.clean(UID)
