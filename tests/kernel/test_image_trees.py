"""The files of images on a real file system: unpacked by a process, mounted into pods, removed after the last one."""

from __future__ import annotations

import asyncio
import os
import tarfile
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path

import pytest

from agent.model import PodUid
from agent.volumes.binds import KernelBinds
from agent.volumes.errors import VolumeError
from agent.volumes.imagetrees import ImageTrees
from hull import mounts
from tests.images import member, tar

FIRST, SECOND = PodUid("u1"), PodUid("u2")
FILES = tar(
    [
        member("bin", type=tarfile.DIRTYPE, mode=0o755),
        member("bin/run", b"#!/bin/sh\necho ran\n", mode=0o4755, uid=1000, gid=2000, uname="root", gname="root"),
        member("same", mode=0o4755, uid=1000, gid=2000, type=tarfile.LNKTYPE, linkname="bin/run"),
        member("link", type=tarfile.SYMTYPE, linkname="/bin/run"),
        member("out", type=tarfile.SYMTYPE, linkname="/"),
        member("out/escaped", b"x"),
        member("../../climbed", b"x"),
        member("/absolute", b"x"),
        member("null", type=tarfile.CHRTYPE, devmajor=1, devminor=3),
        member(".dockerenv"),
        member("dev", type=tarfile.DIRTYPE, mode=0o755),
        member("dev/console"),
        member("etc", type=tarfile.DIRTYPE, mode=0o755),
        member("etc/hosts", b"its own"),
        member("etc/mtab", type=tarfile.SYMTYPE, linkname="/proc/mounts"),
    ]
)


def exporting(*pieces: bytes) -> Callable[[], AsyncGenerator[bytes, None]]:
    async def export() -> AsyncGenerator[bytes, None]:
        for piece in pieces:
            yield piece

    return export


@pytest.fixture
def trees(tmp_path: Path) -> Iterator[ImageTrees]:
    for uid in (FIRST, SECOND):
        (tmp_path / "pods" / uid / "volumes" / "data").mkdir(parents=True)
    yield ImageTrees(tmp_path, KernelBinds())
    for uid in (FIRST, SECOND):
        mounts.detach_all(place(tmp_path, uid))


def place(directory: Path, uid: PodUid) -> Path:
    return directory / "pods" / uid / "volumes" / "data"


async def test_files_are_unpacked_once_and_mounted_read_only(trees: ImageTrees, tmp_path: Path) -> None:
    for uid in (FIRST, SECOND):
        assert not trees.is_mounted(uid, "data")
        trees.keep(uid, "data", "sha256:abc")
        await trees.fill("sha256:abc", exporting(FILES[:700], FILES[700:]) if uid == FIRST else exporting(b"broken"))
        trees.mount(uid, "data")
        assert trees.is_mounted(uid, "data")
    target = place(tmp_path, SECOND)
    names = {str(path.relative_to(target)) for path in target.rglob("*")}
    assert names == {"bin", "bin/run", "same", "link", "out", "escaped", "climbed", "absolute", "etc", "etc/hosts"}
    status = (target / "bin" / "run").stat()
    assert (status.st_uid, status.st_gid, status.st_nlink) == (1000, 2000, 2)
    with pytest.raises(OSError, match="Read-only"):
        (target / "new").touch()
    with pytest.raises(PermissionError):
        await asyncio.create_subprocess_exec(target / "bin" / "run")
    mounts.detach_all(place(tmp_path, FIRST))
    assert not trees.is_mounted(FIRST, "data") and trees.has(trees.kept(FIRST, "data"))


async def test_what_no_pod_names_is_removed(trees: ImageTrees, tmp_path: Path) -> None:
    for uid, image in ((FIRST, "sha256:abc"), (SECOND, "sha256:def")):
        trees.keep(uid, "data", image)
        await trees.fill(image, exporting(FILES))
    # What killed agents have left.
    for name in ("123.new", "abc-1.old"):
        (tmp_path / "imagefiles" / name).mkdir()
    trees.collect()
    assert {path.name for path in (tmp_path / "imagefiles").iterdir()} == {"abc", "def"}
    (tmp_path / "pods" / FIRST / "images" / "data").unlink()
    trees.collect()
    assert {path.name for path in (tmp_path / "imagefiles").iterdir()} == {"def"}


@pytest.mark.parametrize("archive", [b"", b"no archive" * 1000, FILES[:1000]], ids=["nothing", "garbage", "cut off"])
async def test_a_broken_archive_leaves_no_tree(trees: ImageTrees, archive: bytes) -> None:
    with pytest.raises(VolumeError, match="cannot be unpacked"):
        await trees.fill("sha256:abc", exporting(archive))
    assert not trees.has("sha256:abc")
    await trees.fill("sha256:abc", exporting(FILES))
    assert trees.has("sha256:abc")


async def test_a_cancelled_unpacking_ends_its_process(trees: ImageTrees, tmp_path: Path) -> None:
    began = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        yield FILES[:512]
        began.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(trees.fill("sha256:abc", endless))
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not trees.has("sha256:abc")


async def test_a_mount_that_is_not_restricted_is_made_again(trees: ImageTrees, tmp_path: Path) -> None:
    trees.keep(FIRST, "data", "sha256:abc")
    await trees.fill("sha256:abc", exporting(FILES))
    descriptor = os.open(tmp_path / "imagefiles" / "abc", os.O_PATH)
    mounts.bind(descriptor, place(tmp_path, FIRST))
    os.close(descriptor)
    assert not trees.is_mounted(FIRST, "data")
    trees.mount(FIRST, "data")
    assert trees.is_mounted(FIRST, "data")
    mounts.detach(place(tmp_path, FIRST))
    assert mounts.mounts_below(tmp_path) == []
