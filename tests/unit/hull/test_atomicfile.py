"""hull.atomicfile: a file is complete or absent, and nothing is left beside it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from hull import atomicfile


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def test_a_file_is_replaced_completely_and_has_the_given_mode(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o077)
    try:
        atomicfile.write(path, "one", mode=0o644)
        assert path.stat().st_mode & 0o777 == 0o644
        atomicfile.write(path, b"two")
    finally:
        os.umask(before)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    atomicfile.write(path, "old")
    with pytest.raises(RuntimeError), atomicfile.opened(path) as file:
        file.write(b"half")
        raise RuntimeError
    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_of_two_writers_at_once_the_first_fails_and_the_second_completes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(OSError, match="another process"), atomicfile.opened(path) as first:
        with atomicfile.opened(path) as second:
            second.write(b"second")
            second.flush()
        first.write(b"first")
    assert path.read_text() == "second"
    with pytest.raises(OSError, match="another process"), atomicfile.opened(path) as first:
        stack = ExitStack()
        stack.enter_context(atomicfile.opened(path)).write(b"third")
        first.write(b"first")
    assert path.read_text() == "second", "an incomplete file is not published"
    stack.close()
    assert path.read_text() == "third"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_nothing_is_left_when_a_step_fails(step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk fsync(2) fails; where a directory has the file's name, rename(2) fails."""
    path = tmp_path / "file"
    if step == "replace":
        path.mkdir()
    else:
        monkeypatch.setattr(os, "fsync", _no_space)
    with pytest.raises(OSError):
        atomicfile.write(path, "a key")
    assert names(tmp_path) == (["file"] if step == "replace" else [])


def test_the_partial_file_of_a_killed_writer_is_replaced_and_its_readers_see_nothing_new(tmp_path: Path) -> None:
    path = tmp_path / "file"
    partial = atomicfile.partial_of(path)
    partial.write_text("left by a killed writer")
    partial.chmod(0o666)
    with partial.open() as reader:
        atomicfile.write(path, "a key")
        assert reader.read() == "left by a killed writer"
    assert names(tmp_path) == ["file"]


def test_a_symbolic_link_in_place_of_the_partial_file_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    atomicfile.partial_of(tmp_path / "file").symlink_to(victim)
    atomicfile.write(tmp_path / "file", "new")
    assert victim.read_text() == "kept"
    assert (tmp_path / "file").read_text() == "new"


@pytest.mark.parametrize("write", [lambda path: atomicfile.write(path, "x"), lambda path: atomicfile.link(path, "x")])
def test_the_content_reaches_the_disk_before_the_name(
    write: Callable[[Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        flushed.append("directory" if target == tmp_path else "file")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "file")
    assert flushed[-1] == "directory"
    assert flushed[:-1] in (["file"], [])


def test_a_file_that_need_not_be_durable_is_not_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", _no_space)
    atomicfile.write(tmp_path / "file", "new", durable=False)
    assert (tmp_path / "file").read_text() == "new"


def test_a_directory_that_cannot_be_flushed_is_not_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsync(2): EINVAL, where the file system has no such operation."""
    fsync = os.fsync

    def of_files(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "Invalid argument")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", of_files)
    atomicfile.write(tmp_path / "file", "text")
    assert (tmp_path / "file").read_text() == "text"


def _no_space(descriptor: int) -> None:
    raise OSError(28, "No space left on device")
