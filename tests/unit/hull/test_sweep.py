"""Which mounts are unmounted, and in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hull import mounts, sweep


@pytest.mark.parametrize(
    ("itself", "unmounted"), [(True, ["/s/a/b", "/s/a", "/s"]), (False, ["/s/a/b", "/s/a"])], ids=["with it", "below"]
)
def test_mounts_below_a_directory_go_the_deepest_first(
    itself: bool, unmounted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    class Libc:
        @staticmethod
        def umount2(target: bytes, flags: int) -> int:
            done.append(os.fsdecode(target))
            return 0

    monkeypatch.setattr(mounts, "_libc", Libc)
    monkeypatch.setattr(sweep, "mounts_below", lambda directory: ["/s", "/s/a", "/s/a/b"])
    sweep.unmount_below(Path("/s"), itself=itself)
    assert done == unmounted


@pytest.mark.parametrize(
    ("field", "path"),
    [("/mnt/a\\040b", "/mnt/a b"), ("/mnt/\\134n", "/mnt/\\n"), ("/mnt/größe", "/mnt/größe")],
    ids=["blank", "backslash", "not ASCII"],
)
def test_a_mount_point_is_read_from_its_escaped_form(field: str, path: str) -> None:
    line = f"36 35 98:0 / {field} rw,noatime master:1 - ext3 /dev/root rw"
    assert mounts.mount_point(os.fsencode(line)) == path
