"""Directories whose files are replaced all at once.

The files are in a directory of their own that the link `..data` points to. An update writes a new directory and then
switches the link, so that a reader never sees half of it; the kubelet does the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.volumes.ownership import READABLE, give_to

_DATA: Final = "..data"


@dataclass(frozen=True, slots=True)
class File:
    """The content, the permission bits and the owner of one file; user None: root."""

    content: bytes
    mode: int
    user: int | None = None


def version_of(files: Mapping[str, File], default_mode: int, group: int | None) -> str:
    """The name of the directory of these files, by their content.

    Files with the default mode and without a group have the same name as in release 0.1.0.
    """
    digest = hashlib.sha256(str(default_mode).encode() + (b"" if group is None else f" group {group} ".encode()))
    for path, file in sorted(files.items()):
        mode = "" if file.mode == default_mode else f"mode {file.mode} "
        mode += "" if file.user is None else f"user {file.user} "
        digest.update(f"{len(path)} {path} {len(file.content)} {mode}".encode())
        digest.update(file.content)
    return f"..{digest.hexdigest()[:16]}"


def present(directory: Path, path: str) -> bytes | None:
    """The content of a file as it was written last; None if there is none."""
    try:
        return (directory / _DATA / path).read_bytes()
    except OSError:
        return None


def write(directory: Path, files: Mapping[str, File], *, version: str, group: int | None, kept: frozenset[str]) -> None:
    """Write the files by relative path, and remove what is old. `kept`: directories that are not removed.

    Raises OSError.
    """
    link = directory / _DATA
    if link.is_symlink() and str(link.readlink()) == version and _intact(directory / version, files):
        return
    target = directory / version
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o755)
    for path, entry in files.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(entry.content)
        file.chmod(entry.mode)
        if entry.user is not None:
            os.chown(file, entry.user, -1)
    if group is not None:
        for made in (target, *target.rglob("*")):
            give_to(made, group, READABLE)
    _switch(link, version)
    tops = {Path(path).parts[0] for path in files}
    for top in tops:
        # A mount point of another volume stays: a key of its name would be hidden.
        if not os.path.lexists(directory / top):
            (directory / top).symlink_to(f"{_DATA}/{top}")
    for old in directory.iterdir():
        if old.name in (_DATA, version) or old.name in tops:
            continue
        if old.is_symlink():
            old.unlink()
        elif old.name not in kept:
            shutil.rmtree(old, ignore_errors=True)


def _intact(target: Path, files: Mapping[str, File]) -> bool:
    """Whether the files have the right content: a power cut may keep their names and lose their content."""
    try:
        return all((target / path).read_bytes() == file.content for path, file in files.items())
    except OSError:
        return False


def _switch(link: Path, version: str) -> None:
    """Point the link to another directory, atomically."""
    fresh = link.with_name("..data_new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(version)
    fresh.replace(link)
