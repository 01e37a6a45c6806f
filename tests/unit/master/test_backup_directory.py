"""`sampan backup --keep N DIR`: which files are made and removed."""

from __future__ import annotations

import io
import json
import os
import tarfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from master import backup_directory

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write_backup(path: Path, cluster: str = "c-1") -> None:
    content = json.dumps({"clusterId": cluster}).encode()
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("backup.json")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def make(directory: Path, day: int, keep: int | None = 2) -> Path:
    with backup_directory.place(directory, now=NOON + timedelta(days=day), keep=keep) as path:
        write_backup(path)
    return path


def test_the_newest_backups_stay(tmp_path: Path) -> None:
    paths = [make(tmp_path, day) for day in range(4)]
    assert paths[0].name == "sampan-20260301T120000Z.tar"
    assert sorted(tmp_path.iterdir()) == paths[2:]
    make(tmp_path, 4, keep=None)
    assert len(list(tmp_path.iterdir())) == 3


def test_the_backup_that_was_just_made_stays_after_the_clock_was_set_back(tmp_path: Path) -> None:
    ahead = [make(tmp_path, day) for day in (10, 11)]
    newest = make(tmp_path, 1)
    assert sorted(tmp_path.iterdir()) == [newest, ahead[1]]


def test_what_is_not_a_backup_of_this_master_is_not_removed(tmp_path: Path) -> None:
    other = tmp_path / "sampan-20200101T000000Z.tar"
    write_backup(other, "c-2")
    text = tmp_path / "sampan-20200102T000000Z.tar"
    text.write_text("notes")
    link = tmp_path / "sampan-20200103T000000Z.tar"
    write_backup(tmp_path / "mine.tar")
    link.symlink_to("mine.tar")
    pipe = tmp_path / "sampan-20200104T000000Z.tar"
    os.mkfifo(pipe)
    (tmp_path / "sampan-20200105T000000Z.tar").mkdir()
    foreign = set(tmp_path.iterdir())
    newest = [make(tmp_path, day, keep=1) for day in range(3)][-1]
    assert set(tmp_path.iterdir()) == foreign | {newest}


def test_a_backup_that_fails_removes_none_but_what_a_killed_one_left(tmp_path: Path) -> None:
    paths = [make(tmp_path, day) for day in range(2)]
    (tmp_path / ".sampan-20200101T000000Z.tar.new").touch()
    with pytest.raises(OSError, match="full"), backup_directory.place(tmp_path, now=NOON, keep=1):
        raise OSError("full")
    assert sorted(tmp_path.iterdir()) == paths
