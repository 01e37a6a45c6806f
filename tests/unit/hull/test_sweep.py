"""Which mounts are unmounted, and in which order."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hull import sweep


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

    monkeypatch.setattr(sweep, "_libc", Libc)
    monkeypatch.setattr(sweep, "mounts_below", lambda directory: ["/s", "/s/a", "/s/a/b"])
    sweep.unmount_below(Path("/s"), itself=itself)
    assert done == unmounted
