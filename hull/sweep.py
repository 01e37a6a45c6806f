"""Removes by name what processes leave: members of cgroups and namespaces, mounts, cgroup directories.

Works from the kernel's own lists, never from a record, so that what a half-done or forgotten lab left is found too.
"""

import ctypes
import os
import signal
from collections.abc import Iterable
from pathlib import Path

from hull.errors import LeftOver
from hull.processes import ProcessRecord, record_of, send, stop, until, wait

_CGROUP_ROOT = Path("/sys/fs/cgroup")
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def members_of_netns(netns: Iterable[Path]) -> list[ProcessRecord]:
    """Processes whose network namespace is one of these files."""
    wanted = set()
    for path in netns:
        try:
            wanted.add(path.stat().st_ino)
        except FileNotFoundError:
            continue
    return [record for record in _processes() if _netns_inode(record.pid) in wanted] if wanted else []


def end_forgotten(netns: Path, argument: Path) -> None:
    """End daemons in a namespace that have this path on their command line: started, but never recorded.

    A command that was killed between the two leaves such a one; its successor could not start beside it.
    """
    wanted = os.fsencode(argument)
    for record in members_of_netns([netns]):
        try:
            arguments = Path(f"/proc/{record.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if wanted in arguments:
            stop(record)


def members_of_cgroup(cgroup: str) -> list[ProcessRecord]:
    """Processes in this cgroup and below, in any hierarchy."""
    pids: set[int] = set()
    for top in _cgroup_directories(cgroup):
        for directory in _and_below(top):
            try:
                pids.update(int(line) for line in (directory / "cgroup.procs").read_text().split())
            except OSError:
                continue
    return [record for pid in sorted(pids) if (record := record_of(pid))]


def kill_all(records: Iterable[ProcessRecord]) -> None:
    """SIGKILL all, then wait for all; this process itself is spared."""
    doomed = [record for record in records if record.pid != os.getpid()]
    for record in doomed:
        send(record, signal.SIGKILL)
    for record in doomed:
        if not wait(record, 10.0):
            raise LeftOver(f"process {record.pid} does not end, even by SIGKILL")


def unmount_below(directory: Path, *, itself: bool = True) -> None:
    """Unmount everything below a directory, and what is mounted at the directory `itself`; the deepest first.

    The directory's path must be free of symbolic links. A mount in use goes when its last user ends (umount2(2),
    MNT_DETACH). Raises LeftOver.
    """
    targets = (target for target in mounts_below(directory) if itself or target != str(directory))
    for target in sorted(targets, key=len, reverse=True):
        if _libc.umount2(os.fsencode(target), _MNT_DETACH) != 0:
            error = ctypes.get_errno()
            if Path(target).exists() and target in mounts_below(directory):
                raise LeftOver(f"cannot unmount {target}: {os.strerror(error)}")


def mounts_below(directory: Path) -> list[str]:
    """Mount points at or below a directory, in this mount namespace."""
    prefix = f"{directory}/"
    found = []
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        target = line.split(" ")[4].encode().decode("unicode_escape")
        if target == str(directory) or target.startswith(prefix):
            found.append(target)
    return found


def remove_cgroup(cgroup: str) -> None:
    """Remove a cgroup and all below it, in every hierarchy; its processes must have ended.

    The kernel lets go of a dead process's cgroup a moment after its end, hence the patience.
    """
    for top in _cgroup_directories(cgroup):
        for path in sorted(_and_below(top), key=lambda path: len(path.parts), reverse=True):
            _remove_cgroup_directory(path)


def cgroup_exists(cgroup: str) -> bool:
    return bool(_cgroup_directories(cgroup))


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
    """A directory and all below it, but those that go while we look (Path.rglob would raise)."""
    return [Path(directory) for directory, _, _ in os.walk(top)]


def _cgroup_directories(cgroup: str) -> list[Path]:
    """This cgroup in each hierarchy: a directory a controller (version 1), or one for all (version 2)."""
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
