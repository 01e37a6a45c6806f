"""The files in volumes that a container's variables come from, read before the container is created.

Owns the bound on their size. A container can change its volumes at any time, so each path is walked by descriptors and
never leads out of its volume, and only regular files are opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.model import Container, FileKey
from agent.pods.envfile import EnvFiles
from agent.pods.errors import ContainerConfigError
from hull import beneath

_MAX_BYTES: Final = 64 << 10


def reads_files(container: Container) -> bool:
    """Whether variables of the container come from files."""
    return any(variable.file_key is not None for variable in container.env)


def read_env_files(container: Container, volumes: Mapping[str, Path]) -> EnvFiles:
    """All files that the container's variables refer to. `volumes`: where they are, by name. Blocks.

    Raises ContainerConfigError for a file that cannot be read.
    """
    refs = {(ref.volume, ref.path): ref for each in container.env if (ref := each.file_key) is not None}
    contents = {place: _read(ref, volumes) for place, ref in refs.items()}
    return {place: content for place, content in contents.items() if content is not None}


def _read(ref: FileKey, volumes: Mapping[str, Path]) -> str | None:
    if ref.volume not in volumes:
        raise ContainerConfigError(f'cannot find the volume "{ref.volume}" referenced by FileKeyRef')
    try:
        root = os.open(volumes[ref.volume], os.O_PATH | os.O_CLOEXEC)
        try:
            return _content(root, ref.path).decode(errors="replace")
        finally:
            os.close(root)
    except FileNotFoundError:
        return None
    except OSError as error:
        text = f'couldn\'t parse env file: "{ref.path}" of volume "{ref.volume}" cannot be read: {error.strerror}'
        raise ContainerConfigError(text) from error


def _content(root: int, path: str) -> bytes:
    found = beneath.open_path(root, path)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", path)
        with Path(f"/proc/self/fd/{found}").open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    finally:
        os.close(found)
    if len(content) > _MAX_BYTES:
        raise OSError(errno.EFBIG, f"it has more than {_MAX_BYTES} bytes", path)
    return content
