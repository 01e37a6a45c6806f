"""Directories are removed whole, but never with something mounted in them."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from hull import trees


def test_a_directory_is_removed_and_what_its_links_lead_to_stays(tmp_path: Path) -> None:
    tree, other = tmp_path / "tree", tmp_path / "other"
    (tree / "below").mkdir(parents=True)
    other.mkdir()
    (other / "file").touch()
    (tree / "below" / "link").symlink_to(other)
    trees.remove_tree(tree)
    assert not tree.exists() and (other / "file").exists()


def test_nothing_is_removed_around_a_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    share = str(tmp_path / "share")
    monkeypatch.setattr(trees, "mounts_below", lambda directory: [share] if directory == tmp_path else [])
    with pytest.raises(OSError) as caught:
        trees.remove_tree(tmp_path)
    assert (caught.value.errno, caught.value.filename) == (errno.EBUSY, share)
    assert (tmp_path / "file").exists()
