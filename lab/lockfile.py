"""A file to lock: nobody but its owner may open it, because whoever can read a file can hold its lock."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """Its descriptor, for flock(2), which ends with it; made with its directory where it is not there. Raises OSError.

    A link is refused: it would have a file of somebody's made, or closed to others.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        # Earlier releases made it for everybody to read.
        os.fchmod(descriptor, 0o600)
        yield descriptor
    finally:
        os.close(descriptor)
