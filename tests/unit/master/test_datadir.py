"""The lock of the data directory: its owner, and what a new holder removes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from master.datadir import MasterFailed, as_owner, locked

OWNER = 4711


@pytest.fixture
def others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that belongs to another user, as root sees it."""
    directory = tmp_path / "data"
    directory.mkdir()
    real = Path.stat

    def stat(self: Path, **how: bool) -> os.stat_result:
        actual = real(self, **how)
        return os.stat_result((*actual[:4], OWNER, OWNER, *actual[6:])) if self == directory else actual

    monkeypatch.setattr(Path, "stat", stat)
    return directory


def test_a_new_lock_file_belongs_to_the_owner_of_the_directory(others: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root runs a restore, but the master runs as another user."""
    owners: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, user, group: owners.append((user, group)))
    with locked(others):
        pass
    assert owners == [(OWNER, OWNER)]


@pytest.mark.parametrize("how", [Path.symlink_to, Path.hardlink_to], ids=["symbolic link", "hard link"])
def test_the_owner_of_a_linked_file_is_not_changed(
    others: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: object
) -> None:
    changed: list[int] = []
    monkeypatch.setattr(os, "fchown", lambda descriptor, *_: changed.append(descriptor))
    (tmp_path / "shadow").touch()
    how(others / "lock", tmp_path / "shadow")  # type: ignore[operator]
    try:
        with locked(others):
            pass
    except MasterFailed as error:
        assert "lock" in str(error)
    assert changed == []


def test_temporary_directories_of_a_killed_holder_are_removed(tmp_path: Path) -> None:
    for name in (".backup-killed", ".restore-killed", "pki"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "store.db").touch()
    with locked(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {"lock", "pki"}
        (tmp_path / ".backup-running").mkdir()
        with pytest.raises(MasterFailed, match="another master"), locked(tmp_path):
            pass
        assert (tmp_path / ".backup-running").is_dir()


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A directory that other users may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory(prefix="sampan-datadir-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
def test_root_acts_as_the_owner_of_the_directory_and_follows_no_link_out_of_it(open_to_all: Path) -> None:
    data, victim = open_to_all / "data", open_to_all / "nologin"
    data.mkdir()
    os.chown(data, OWNER, OWNER)
    (data / "restoring").symlink_to(victim)
    with as_owner(data):
        with pytest.raises(PermissionError):
            (data / "restoring").touch()
        (data / "store.db").touch()
    assert not victim.exists()
    created = (data / "store.db").stat()
    assert (created.st_uid, created.st_gid) == (OWNER, OWNER)
    assert (os.geteuid(), os.getegid()) == (0, 0)
    victim.touch()
