"""Faults of the disk of a host's master or agent: small, full, or refusing writes.

Only the directory of the master's store or the agent's state is affected, not the engine's, and not the logs.
"""

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from hull.mounts import bind, detach, in_memory, mounts_below
from hull.trees import remove_tree
from lab.cluster import Cluster
from lab.errors import LabError
from lab.hosts import immutable

_FILLING = ".filling"
_BLOCK = bytes(4096)


def limit(cluster: Cluster, host: str, size_bytes: int) -> None:
    """Replace the disk by a small one in memory with the same content. The daemon must not run; a reboot empties it."""
    if cluster.record(host) is not None:
        raise LabError(f"stop the daemon of {host} first: it would keep using its present disk")
    directory = data_directory(cluster, host)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if directory.is_mount():
        raise LabError(f"{host} has a small disk already")
    before = directory.with_name(f"{directory.name}.before")
    directory.rename(before)
    directory.mkdir(mode=0o700)
    in_memory(directory, f"size={size_bytes},mode=0700")
    mounted = [Path(point).relative_to(before) for point in mounts_below(before)]
    copied = _without({before / point for point in mounted})
    shutil.copytree(before, directory, symlinks=True, dirs_exist_ok=True, ignore=copied)
    for point in mounted:
        _move_mount(before / point, directory / point)
    remove_tree(before)


def _without(points: set[Path]) -> Callable[[str, list[str]], list[str]]:
    """What a copy leaves out: the content of mounted volumes in memory, which are not on the disk."""
    return lambda directory, names: names if Path(directory) in points else []


def _move_mount(source: Path, target: Path) -> None:
    descriptor = os.open(source, os.O_PATH)
    try:
        bind(descriptor, target)
    finally:
        os.close(descriptor)
    detach(source)


def fill(cluster: Cluster, host: str) -> None:
    """Use all free space of a small disk."""
    directory = data_directory(cluster, host)
    if not directory.is_mount():
        raise LabError(f"{host} uses the machine's own disk, which must not be filled: call `limit` first")
    # Unbuffered: closing a buffered file would try to write the last blocks again.
    with (directory / _FILLING).open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(_BLOCK)


def refuse(cluster: Cluster, host: str) -> None:
    """Let the kernel refuse every write with EPERM; reads still work. Raises Unsupported."""
    immutable.refuse(data_directory(cluster, host))


def undo(cluster: Cluster, host: str) -> None:
    """Free the space and allow writes again. A small disk stays small."""
    directory = data_directory(cluster, host)
    immutable.allow(directory)
    (directory / _FILLING).unlink(missing_ok=True)


def data_directory(cluster: Cluster, host: str) -> Path:
    """The directory of the master's store, or of the agent's state."""
    paths = cluster.lab.host_paths(host)
    return paths.master_data if cluster.lab.state.host(host).role == "master" else paths.agent_state
