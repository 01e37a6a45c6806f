"""configMap and secret volumes: keys as files, updated all at once.

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

from agent.model import KeysVolume, KeyToPath, ObjectRef
from agent.volumes import nesting
from agent.volumes.errors import VolumeError
from agent.volumes.interface import MemoryFiles, VolumeContext
from agent.volumes.ownership import READABLE, give_to

_DATA: Final = "..data"
_PERMISSIONS: Final = 0o777


class KeysKind:
    """The kinds configMap and secret; a secret's files are in memory."""

    def __init__(self, memory: MemoryFiles) -> None:
        self._memory = memory

    def prepare(self, source: KeysVolume, context: VolumeContext) -> Path:
        files = _files(source, context)
        directory, group = context.directory, context.pod.fs_group
        try:
            if source.secret:
                self._memory.mount(directory, size_bytes=0, group=group)
            else:
                directory.mkdir(parents=True, exist_ok=True)
                if group is not None:
                    give_to(directory, group, READABLE)
            nested = nesting.mount_points(context.pod, context.name)
            kept = frozenset(path.parts[0] for path in nested)
            version = f"..{_digest(files, source.default_mode, group)}"
            _write(directory, files, version=version, group=group, kept=kept)
            nesting.make(directory, nested)
        except OSError as error:
            raise VolumeError(f'volume "{context.name}" cannot be written: {error}') from error
        return directory


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    mode: int


def _files(source: KeysVolume, context: VolumeContext) -> Mapping[str, _File]:
    """The files by relative path."""
    ref = ObjectRef(context.pod.namespace, source.name)
    kind = "secret" if source.secret else "config map"
    data_source = (context.desired.secrets if source.secret else context.desired.config_maps).get(ref)
    if data_source is None:
        if source.secret and not context.desired.secrets_known:
            raise VolumeError(
                f'volume "{context.name}": secret "{ref}" is not stored on this node: waiting for the master to send it'
            )
        if source.optional:
            return {}
        raise VolumeError(f'volume "{context.name}": {kind} "{ref}" not found')
    items = source.items or tuple(KeyToPath(key, key) for key in sorted(data_source.data))
    missing = [item.key for item in items if item.key not in data_source.data]
    if missing and not source.optional:
        raise VolumeError(f'volume "{context.name}": {kind} "{ref}" has no key "{missing[0]}"')
    files: dict[str, _File] = {}
    for item in items:
        if ".." in Path(item.path).parts or item.path.startswith("/"):
            raise VolumeError(f'volume "{context.name}": "{item.path}" is not a path inside the volume')
        mode = source.default_mode if item.mode is None else item.mode
        if not 0 <= mode <= _PERMISSIONS:
            raise VolumeError(f'volume "{context.name}": mode {mode:o} of "{item.path}" is not between 0 and 777')
        if item.key in data_source.data:
            files[item.path] = _File(data_source.data[item.key], mode)
    return files


def _write(
    directory: Path, files: Mapping[str, _File], *, version: str, group: int | None, kept: frozenset[str]
) -> None:
    """Write the files, and remove what is old. `kept`: directories that are not removed."""
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


def _intact(target: Path, files: Mapping[str, _File]) -> bool:
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


def _digest(files: Mapping[str, _File], default_mode: int, group: int | None) -> str:
    """Files with the default mode and without a group have the same digest as in release 0.1.0."""
    digest = hashlib.sha256(str(default_mode).encode() + (b"" if group is None else f" group {group} ".encode()))
    for path, file in sorted(files.items()):
        mode = "" if file.mode == default_mode else f"mode {file.mode} "
        digest.update(f"{len(path)} {path} {len(file.content)} {mode}".encode())
        digest.update(file.content)
    return digest.hexdigest()[:16]
