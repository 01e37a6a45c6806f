"""The data directory: held by one process at a time, and marked while what lies there is not all of a cluster."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

RESTORING: Final = "restoring"
"""The mark: a restore is under way."""


class MasterFailed(Exception):
    """The master cannot start or go on; the message is one line."""


@contextlib.contextmanager
def locked(data_dir: Path) -> Iterator[None]:
    """Hold the data directory; the kernel lets go of it when the process ends. Raises MasterFailed."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise MasterFailed(f"data directory {data_dir}: {error.filename or data_dir}: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise MasterFailed(f"data directory {data_dir}: another master is running on it") from error
        yield
    finally:
        os.close(descriptor)
