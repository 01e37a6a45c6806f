"""Mount points inside of volumes: where a container mounts one volume below another one.

A volume with keys as files is mounted read-only, so the engine cannot create these directories. As in Kubernetes, they
are made in the volume before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from agent.model import Pod


def mount_points(pod: Pod, volume: str) -> frozenset[PurePosixPath]:
    """The paths, relative to the volume, at which containers mount other volumes."""
    return frozenset(_nested(pod, volume))


def _nested(pod: Pod, volume: str) -> Iterator[PurePosixPath]:
    for container in pod.all_containers:
        paths = [PurePosixPath(mount.mount_path) for mount in container.volume_mounts]
        for mount, outer in zip(container.volume_mounts, paths, strict=True):
            if mount.name != volume or mount.sub_path or mount.sub_path_expr:
                continue
            for inner in paths:
                if inner == outer or not inner.is_relative_to(outer):
                    continue
                path = inner.relative_to(outer)
                # `..` leads out of the volume; other names that begin so belong to the volume itself.
                if not any(part.startswith("..") for part in path.parts):
                    yield path


def make(directory: Path, paths: frozenset[PurePosixPath]) -> None:
    """Make the directories that are missing, readable for everybody. Raises OSError.

    None is made below a link, which leads to a key.
    """
    for path in sorted(paths):
        if not (directory / path.parts[0]).is_symlink():
            (directory / path).mkdir(mode=0o755, parents=True, exist_ok=True)
