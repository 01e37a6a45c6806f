"""Lock files: only their owner may open them, because a process that can open a file can hold its lock."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from host import system
from hull import lockfile, owner
from hull.errors import Busy
from hull.lockfile import exclusive
from lab import distribution


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


Take = Callable[[Path], AbstractContextManager[object]]


@pytest.mark.parametrize("take", [system.exclusive, lockfile.exclusive, owner.sweeping], ids=["host", "lab", "sweep"])
def test_only_the_owner_can_open_a_lock_file_even_one_of_an_earlier_release(take: Take, tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        path = tmp_path / "run/host.lock"
        with take(path):
            assert mode(path) == 0o600
        path.chmod(0o644)
        with take(path):
            assert mode(path) == 0o600
    finally:
        os.umask(before)


def test_only_the_owner_can_open_the_lock_of_installing_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "install.lock"
    monkeypatch.setattr(distribution, "_LOCK", path)
    with distribution._alone():
        assert mode(path) == 0o600


def test_a_symbolic_link_in_place_of_a_lock_file_is_refused_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.touch(0o644)
    (tmp_path / "a.lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"), lockfile.opened(tmp_path / "a.lock"):
        raise AssertionError("opened")
    assert mode(victim) == 0o644


def test_a_waiter_takes_the_new_file_when_the_holder_removed_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    opened, taken = threading.Event(), threading.Event()

    def wait() -> None:
        opened.set()
        with exclusive(path):
            taken.set()

    with exclusive(path):
        waiting = threading.Thread(target=wait)
        waiting.start()
        assert opened.wait(5)
        path.unlink()
    assert taken.wait(5)
    waiting.join(5)
    with exclusive(path), pytest.raises(Busy, match="no"), exclusive(path, busy="no"):
        pass


@pytest.mark.parametrize("code", [errno.EROFS, errno.EPERM])
def test_a_lock_file_is_taken_on_a_disk_that_has_become_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    path, opening = tmp_path / "a.lock", os.open
    with lockfile.opened(path):
        pass

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_ACCMODE != os.O_RDONLY:
            raise OSError(code, os.strerror(code))
        return opening(path, flags, mode)

    monkeypatch.setattr(os, "open", refuse)
    with lockfile.opened(path) as first, lockfile.opened(path) as second:
        assert lockfile.taken(first) and not lockfile.taken(second)
    with pytest.raises(OSError, match=os.strerror(code)), lockfile.opened(tmp_path / "other.lock"):
        raise AssertionError("opened")
