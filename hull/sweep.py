"""Finds and removes what processes leave behind: members of cgroups and namespaces, mounts, cgroup directories.

Asks the kernel instead of a record, so that it also finds what a half-made or unrecorded lab left.
"""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from hull.errors import LeftOver
from hull.mounts import detach, mounts_below
from hull.processes import ProcessRecord, record_of, send, stop, until, wait

_CGROUP_ROOT = Path("/sys/fs/cgroup")


def members_of_netns(netns: Iterable[Path]) -> list[ProcessRecord]:
    """Processes whose network namespace is one of these files."""
    inodes = set()
    for path in netns:
        try:
            inodes.add(path.stat().st_ino)
        except FileNotFoundError:
            continue
    return [record for record in _processes() if _netns_inode(record.pid) in inodes] if inodes else []


def end_unrecorded(netns: Path, argument: Path) -> None:
    """Stop the daemons in a namespace that have this path on their command line.

    A command that is killed after it started a daemon, but before it recorded the process, leaves such a daemon. It
    holds the sockets that a new one needs.
    """
    encoded = os.fsencode(argument)
    for record in members_of_netns([netns]):
        try:
            arguments = Path(f"/proc/{record.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if encoded in arguments:
            stop(record)


def members_of_cgroup(cgroup: str) -> list[ProcessRecord]:
    """Processes in this cgroup and in those below it, in every hierarchy."""
    pids: set[int] = set()
    for top in cgroup_directories(cgroup):
        for directory in _and_below(top):
            try:
                pids.update(int(line) for line in (directory / "cgroup.procs").read_text().split())
            except OSError:
                continue
    return [record for pid in sorted(pids) if (record := record_of(pid))]


def kill_all(records: Iterable[ProcessRecord]) -> None:
    """SIGKILL all of them but this process, and wait for their end. Raises LeftOver."""
    others = [record for record in records if record.pid != os.getpid()]
    for record in others:
        send(record, signal.SIGKILL)
    for record in others:
        if not wait(record, 10.0):
            raise LeftOver(f"process {record.pid} does not end, not even by SIGKILL")


def unmount_below(directory: Path, *, itself: bool = True) -> None:
    """Unmount everything below a directory, and what is mounted at the directory `itself`; the deepest first.

    The directory's path must be free of symbolic links. A mount in use goes when its last user ends (umount2(2),
    MNT_DETACH). Raises LeftOver.
    """
    targets = (target for target in mounts_below(directory) if itself or target != str(directory))
    for target in sorted(targets, key=len, reverse=True):
        try:
            detach(Path(target))
        except OSError as error:
            if Path(target).exists() and target in mounts_below(directory):
                raise LeftOver(f"cannot unmount {target}: {error.strerror}") from error


def remove_cgroup(cgroup: str) -> None:
    """Remove a cgroup and all below it, in every hierarchy. Its processes must have ended. Raises LeftOver.

    Tries for a while, as the kernel releases the cgroup of a process a moment after its end.
    """
    for top in cgroup_directories(cgroup):
        for path in sorted(_and_below(top), key=lambda path: len(path.parts), reverse=True):
            _remove_cgroup_directory(path)


def cgroup_exists(cgroup: str) -> bool:
    return bool(cgroup_directories(cgroup))


def _remove_cgroup_directory(path: Path) -> None:
    for _ in until(5.0):
        try:
            path.rmdir()
            return
        except FileNotFoundError:
            return
        except OSError:
            continue
    raise LeftOver(f"cgroup {path} cannot be removed: {path.joinpath('cgroup.procs').read_text().split()} still in it")


def _and_below(top: Path) -> list[Path]:
    """A directory and all below it. Directories may vanish meanwhile, where Path.rglob would raise."""
    return [Path(directory) for directory, _, _ in os.walk(top)]


def cgroup_directories(cgroup: str) -> list[Path]:
    """The directory of this cgroup in each hierarchy: one for each controller (cgroup v1), or a single one (v2)."""
    relative = cgroup.strip("/")
    roots = [_CGROUP_ROOT, *(path for path in _CGROUP_ROOT.iterdir() if path.is_dir() and not path.is_symlink())]
    return [root / relative for root in roots if (root / relative).is_dir()]


def _processes() -> list[ProcessRecord]:
    pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [record for pid in pids if (record := record_of(pid))]


def _netns_inode(pid: int) -> int | None:
    try:
        return Path(f"/proc/{pid}/ns/net").stat().st_ino
    except OSError:
        return None
