"""configMap and secret volumes: keys as files, updated all at once.

The files are in a directory of their own that the link `..data` points to. An update writes a new directory and then
switches the link, so that a reader never sees half of it; the kubelet does the same.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agent.model import KeysVolume, KeyToPath, ObjectRef
from agent.volumes.errors import VolumeError
from agent.volumes.interface import MemoryFiles, VolumeContext

_DATA: Final = "..data"


class KeysKind:
    """The kinds configMap and secret; a secret's files are in memory."""

    def __init__(self, memory: MemoryFiles) -> None:
        self._memory = memory

    def prepare(self, source: KeysVolume, context: VolumeContext) -> Path:
        files = _files(source, context)
        directory = context.directory
        if source.secret:
            self._memory.mount(directory, size_bytes=0)
        else:
            directory.mkdir(parents=True, exist_ok=True)
        try:
            _write(directory, files, mode=source.default_mode)
        except OSError as error:
            raise VolumeError(f'volume "{context.name}" cannot be written: {error}') from error
        return directory


def _files(source: KeysVolume, context: VolumeContext) -> Mapping[str, bytes]:
    """Relative path → content."""
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
    for item in items:
        if ".." in Path(item.path).parts or item.path.startswith("/"):
            raise VolumeError(f'volume "{context.name}": "{item.path}" is not a path inside the volume')
    return {item.path: data_source.data[item.key] for item in items if item.key in data_source.data}


def _write(directory: Path, files: Mapping[str, bytes], *, mode: int) -> None:
    version = f"..{_digest(files, mode)}"
    link = directory / _DATA
    if link.is_symlink() and str(link.readlink()) == version and _intact(directory / version, files):
        return
    target = directory / version
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(mode=0o755)
    for path, content in files.items():
        file = target / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
    _switch(link, version)
    tops = {Path(path).parts[0] for path in files}
    for top in tops:
        if not (directory / top).is_symlink():
            (directory / top).symlink_to(f"{_DATA}/{top}")
    for old in directory.iterdir():
        if old.name in (_DATA, version) or old.name in tops:
            continue
        if old.is_symlink():
            old.unlink()
        else:
            shutil.rmtree(old, ignore_errors=True)


def _intact(target: Path, files: Mapping[str, bytes]) -> bool:
    """Whether the files have the right content: a power cut may keep their names and lose their content."""
    try:
        return all((target / path).read_bytes() == content for path, content in files.items())
    except OSError:
        return False


def _switch(link: Path, version: str) -> None:
    """Point the link to another directory, atomically."""
    fresh = link.with_name("..data_new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    fresh.symlink_to(version)
    fresh.replace(link)


def _digest(files: Mapping[str, bytes], mode: int) -> str:
    digest = hashlib.sha256(str(mode).encode())
    for path, content in sorted(files.items()):
        digest.update(f"{len(path)} {path} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:16]
