"""The data directory: locked by one process at a time, and marked while a restore is incomplete."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

CLUSTER_ID_KEY: Final = "/meta/cluster-id"
"""Where the store has the id that the cluster got at its first start (master/assembly.py)."""
RESTORING: Final = "restoring"
"""A file of this name marks a restore in progress."""
SCRATCH: Final = (".backup-", ".restore-")
"""Prefixes of the temporary directories of a backup or a restore, which contain keys and secrets."""


class MasterFailed(Exception):
    """The master cannot start or continue; the message is one line."""


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Locks the data directory; the kernel unlocks it when the process ends. Raises MasterFailed.

    Deletes temporary directories that a killed process has left.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MasterFailed(f"data directory {data_dir}: {error.filename or data_dir}: {error.strerror}") from error
    try:
        _give_to_owner(descriptor, data_dir)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MasterFailed(f"data directory {data_dir}: another master is running on it") from error
        for prefix in SCRATCH:
            for path in data_dir.glob(f"{prefix}*"):
                shutil.rmtree(path, ignore_errors=True)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def as_owner(data_dir: Path) -> Iterator[None]:
    """Makes a process of root act as the directory's owner, as whom the master may run; changes nothing for others.

    So new files belong to the owner, and following a link that the owner placed there needs the owner's permissions.
    Applies to the whole process.
    """
    owner = data_dir.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    group, groups = os.getegid(), os.getgroups()
    os.setgroups([owner.st_gid])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


def _give_to_owner(descriptor: int, data_dir: Path) -> None:
    """Gives a lock file that root made, for a restore, to the directory's owner, as whom the master may run."""
    owner, lock = data_dir.stat(), os.fstat(descriptor)
    # A file with a second hard link may be another user's file, which the directory's owner wants to get.
    if (lock.st_uid, lock.st_gid) != (owner.st_uid, owner.st_gid) and lock.st_nlink == 1:
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
