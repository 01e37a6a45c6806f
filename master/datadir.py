"""The data directory: held by one process at a time, and marked while what lies there is not all of a cluster."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

RESTORING: Final = "restoring"
"""The mark: a restore is under way."""
SCRATCH: Final = (".backup-", ".restore-")
"""How directories begin that a backup or a restore needs while it runs, and that hold keys and secrets."""


class MasterFailed(Exception):
    """The master cannot start or go on; the message is one line."""


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data directory; the kernel lets go of it when the process ends. What a killed holder left of its
    scratch goes. Raises MasterFailed."""
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
    """Root acts as the directory's owner, which the master may run as: what it makes there is his, and no link that he
    has put there leads root anywhere. Of the whole process; others are what they are."""
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
    """The master may run as a user of its own, and root have been the first to lock: for a restore."""
    owner, lock = data_dir.stat(), os.fstat(descriptor)
    # A file with another name as well may be somebody's whom the directory's owner wants to rob.
    if (lock.st_uid, lock.st_gid) != (owner.st_uid, owner.st_gid) and lock.st_nlink == 1:
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, owner.st_uid, owner.st_gid)
