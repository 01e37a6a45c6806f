"""Paths below a directory: where they lead, what is made, and what is refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hull import beneath


def opened(root: Path, path: str, mode: int = 0o755) -> Path:
    """Where the walk ends."""
    descriptor, above = -1, os.open(root, os.O_PATH)
    try:
        descriptor = beneath.open_or_make(above, path, mode=mode)
        return Path(f"/proc/self/fd/{descriptor}").readlink()
    finally:
        os.close(above)
        if descriptor >= 0:
            os.close(descriptor)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "root" / "a" / "b").mkdir(parents=True)
    (tmp_path / "root" / "a" / "file").touch()
    return tmp_path / "root"


@pytest.mark.parametrize(
    ("path", "end"),
    [
        ("", ""),
        ("/", ""),
        ("a//b/.", "a/b"),
        ("a/file", "a/file"),
        ("a/../a/b", "a/b"),
        ("new/deep", "new/deep"),
        ("link", "a/b"),
        ("link/new", "a/b/new"),
        ("a/up/b", "a/b"),
        ("dangling", "made"),
    ],
)
def test_a_path_inside_is_opened_or_made(root: Path, path: str, end: str) -> None:
    (root / "link").symlink_to("a/./b")
    (root / "a" / "up").symlink_to("../a")
    (root / "dangling").symlink_to("made")
    assert opened(root, path) == root / end


@pytest.mark.parametrize("path", ["..", "a/../..", "../root", "absolute", "relative", "chain/x", "dangling"])
def test_a_path_that_leads_out_is_refused(root: Path, path: str) -> None:
    (root / "absolute").symlink_to(root / "a")
    (root / "relative").symlink_to("../outside")
    (root / "chain").symlink_to("relative")
    (root / "dangling").symlink_to("a/../../made")
    with pytest.raises(beneath.LeadsOut):
        opened(root, path)
    assert sorted(entry.name for entry in root.parent.iterdir()) == ["root"]


def test_a_circle_of_links_and_a_file_in_the_way_are_errors(root: Path) -> None:
    (root / "circle").symlink_to("circle")
    with pytest.raises(OSError, match="symbolic links"):
        opened(root, "circle")
    with pytest.raises(NotADirectoryError):
        opened(root, "a/file/x")


def test_made_directories_have_the_mode_whatever_the_umask_is(root: Path) -> None:
    before = os.umask(0o077)
    try:
        opened(root, "x/y", 0o2777)
    finally:
        os.umask(before)
    assert {stat.S_IMODE((root / path).stat().st_mode) for path in ("x", "x/y")} == {0o2777}
