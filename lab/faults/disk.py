"""The disk of a host's master or agent: made small, filled, or refusing every write; and as it was again.

It is the disk of what the process keeps (the master's store, the agent's state), not of the engine, and not of logs.
"""

import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from lab.cluster import Cluster
from lab.errors import LabError
from lab.hosts import immutable

_FILLING = ".filling"
_BLOCK = bytes(4096)


def limit(cluster: Cluster, host: str, size_bytes: int) -> None:
    """Give it a small disk, with what is kept so far. The process must not run; a reboot loses what is on it."""
    if cluster.record(host) is not None:
        raise LabError(f"stop what runs on {host} first: it would go on to use the disk that it has")
    directory = kept(cluster, host)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    if directory.is_mount():
        raise LabError(f"{host} has a small disk already")
    before = directory.with_name(f"{directory.name}.before")
    directory.rename(before)
    directory.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "tmpfs", str(directory)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    shutil.copytree(before, directory, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(before)


def fill(cluster: Cluster, host: str) -> None:
    """Take all the room that is left on a small disk."""
    directory = kept(cluster, host)
    if not directory.is_mount():
        raise LabError(f"{host} has the machine's own disk, which nobody wants filled: `limit` comes first")
    # Unbuffered, or the last blocks would be missed again when the file is closed.
    with (directory / _FILLING).open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(_BLOCK)


def refuse(cluster: Cluster, host: str) -> None:
    """Let the kernel refuse every write, with EPERM; what is there can be read. Raises Unsupported."""
    immutable.refuse(kept(cluster, host))


def undo(cluster: Cluster, host: str) -> None:
    """There is room again, and it may be written to; a small disk stays small."""
    directory = kept(cluster, host)
    immutable.allow(directory)
    (directory / _FILLING).unlink(missing_ok=True)


def kept(cluster: Cluster, host: str) -> Path:
    """The directory of what the host's master or agent keeps."""
    paths = cluster.lab.host_paths(host)
    return paths.master_data if cluster.lab.state.host(host).role == "master" else paths.agent_state
