"""A directory of backups: each file is named by its time, and the oldest ones of the same master are removed.

host/services/backups.py knows the names, too: such a directory may be given to the master's user.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Final

_NAME: Final = re.compile(r"sampan-[0-9]{8}T[0-9]{6}Z\.tar")
_PARTIAL: Final = re.compile(rf"\.{_NAME.pattern}\.new")
"""As hull/atomicfile.py calls a file that is not complete."""
_MANIFEST: Final = "backup.json"
_LONGEST_MANIFEST: Final = 1 << 20


@contextmanager
def place(directory: Path, *, now: datetime, keep: int | None) -> Iterator[Path]:
    """The path for a backup that the block makes. Afterwards only the newest `keep` backups of its master stay.

    None keeps all. One process at a time. If the backup fails, no older one is removed. Raises OSError.
    """
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        for path in directory.iterdir():
            if _PARTIAL.fullmatch(path.name):
                path.unlink()  # A killed command left it; a running one would hold the lock.
        path = directory / f"sampan-{now:%Y%m%dT%H%M%SZ}.tar"
        yield path
        if keep is not None:
            _remove_old(path, keep)
    finally:
        os.close(descriptor)


def _remove_old(newest: Path, keep: int) -> None:
    """Remove old backups, but never `newest`: after a clock that was ahead, other names may sort after it."""
    cluster = cluster_of(newest)
    names = sorted((path.name for path in newest.parent.iterdir() if _NAME.fullmatch(path.name)), reverse=True)
    others = (newest.with_name(name) for name in names if name != newest.name)
    same = (path for path in others if cluster is not None and cluster_of(path) == cluster)
    for path in list(islice(same, keep - 1, None)):
        path.unlink()


def cluster_of(path: Path) -> str | None:
    """The id of the cluster that the backup is of; None for anything else than a backup (master/backup.py)."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file, tarfile.open(fileobj=file, mode="r:") as archive:
            first = archive.next()
            member = archive.extractfile(first) if first is not None and first.name == _MANIFEST else None
            manifest = json.loads(member.read(_LONGEST_MANIFEST)) if member is not None else {}
        cluster = manifest["clusterId"]
    except (OSError, ValueError, KeyError, TypeError, tarfile.TarError):
        return None
    return cluster if isinstance(cluster, str) else None
