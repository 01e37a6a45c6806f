"""The removal of a pod's volumes on real file systems: what is mounted in them by other programs stays whole."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent.model import Container, Desired, EmptyDir, Pod, PodUid, Volume
from agent.volumes.errors import VolumeError
from agent.volumes.manager import Volumes
from agent.volumes.memory import TmpfsFiles

UID = PodUid("u1")


@contextmanager
def mounted(source: Path, directory: Path) -> Iterator[None]:
    subprocess.run(["mount", "--bind", source, directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", directory], check=True)


def test_a_pod_with_a_foreign_mount_is_not_removed_and_the_mounted_data_stay(tmp_path: Path) -> None:
    volumes = Volumes(state_dir=tmp_path / "state", host_path_root=tmp_path, memory=TmpfsFiles())
    sources = (Volume("disk", EmptyDir()), Volume("memory", EmptyDir("Memory")))
    pod = Pod(UID, "default", "web", (Container("app", "web:1"),), volumes=sources)
    made = volumes.prepare(pod, Desired(pods={}))
    assert made["memory"].is_mount()
    share = tmp_path / "share"
    share.mkdir()
    (share / "file").write_text("the only copy")
    target = made["disk"] / "a b"
    target.mkdir()
    # A bind mount of the same file system: its device number does not differ.
    with mounted(share, target):
        with pytest.raises(VolumeError, match="a b"):
            volumes.clean(UID)
        assert (share / "file").read_text() == (target / "file").read_text() == "the only copy"
    volumes.clean(UID)
    assert not volumes.directory(UID).exists() and (share / "file").exists()
