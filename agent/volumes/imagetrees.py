"""The files of images for image volumes: unpacked once on a node, and mounted read-only into the pods that use them.

Owns `imagefiles/<id>` in the agent's `state_dir`, and in each pod's directory `images/<volume>`, which says which image
a volume has. So a volume keeps its image as long as its pod exists, and an image that no pod names is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from agent.model import PodUid
from agent.volumes.errors import VolumeError, complaint
from agent.volumes.interface import Binds
from hull import atomicfile
from hull.trees import remove_tree

_NEW: Final = ".new"
_OLD: Final = ".old"

_LOG = logging.getLogger(__name__)


class ImageTrees:
    """The trees of files, one for each image."""

    def __init__(self, state_dir: Path, binds: Binds) -> None:
        self._trees = state_dir / "imagefiles"
        self._pods = state_dir / "pods"
        self._binds = binds
        self._filling: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._collecting = threading.Lock()
        """Held while a tree begins to be used or is taken away: `collect` runs on a thread."""

    def is_mounted(self, uid: PodUid, volume: str) -> bool:
        """Whether the volume has its files, mounted as they have to be."""
        if not self.kept(uid, volume):
            return False
        try:
            flags = os.statvfs(self._target(uid, volume)).f_flag
        except FileNotFoundError:
            return False
        return bool(flags & os.ST_RDONLY and flags & os.ST_NOEXEC)

    def kept(self, uid: PodUid, volume: str) -> str:
        """The id of the volume's image; empty if it has none yet."""
        return _text(self._note(uid, volume))

    def has(self, image_id: str) -> bool:
        """Whether the files of the image are there."""
        return bool(image_id) and self._tree(image_id).is_dir()

    def keep(self, uid: PodUid, volume: str, image_id: str) -> None:
        """Give the volume its image. The pod's directory exists. Raises OSError."""
        note = self._note(uid, volume)
        note.parent.mkdir(exist_ok=True)
        with self._collecting:
            atomicfile.write(note, image_id.encode())

    async def fill(self, image_id: str, export: Callable[[], AsyncGenerator[bytes, None]]) -> None:
        """Unpack the files of the image, which `export` gives as an archive, unless they are there.

        Raises VolumeError, OSError, and what `export` raises.
        """
        lock = self._filling.setdefault(image_id, asyncio.Lock())
        async with lock:
            if self.has(image_id):
                return
            new = self._tree(image_id).with_suffix(_NEW)
            self._trees.mkdir(mode=0o700, exist_ok=True)
            if new.exists():
                await asyncio.to_thread(remove_tree, new)
            new.mkdir()
            await _unpack(export(), new)
            new.rename(self._tree(image_id))

    def mount(self, uid: PodUid, volume: str) -> None:
        """Mount the files of the volume's image at its place, read-only and without programs. Raises OSError."""
        target = self._target(uid, volume)
        self._binds.unmount(target)  # a killed agent may have left one that is not restricted
        descriptor = os.open(self._tree(self.kept(uid, volume)), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._binds.bind_files(descriptor, target)
        finally:
            os.close(descriptor)

    def collect(self) -> None:
        """Remove what no pod uses. Problems are logged: the next call tries again."""
        with self._collecting:
            trees = sorted(self._trees.iterdir()) if self._trees.is_dir() else []
            used = {_name(_text(note)) for note in self._pods.glob("*/images/*")} if trees else set()
            old = [_taken_away(tree) for tree in trees if tree.suffix == _OLD or tree.stem not in used]
        for tree in old:
            with contextlib.suppress(FileNotFoundError):
                try:
                    remove_tree(tree)
                except OSError as error:
                    _LOG.warning("files of an image: %s cannot be removed: %s", tree, error)

    def _tree(self, image_id: str) -> Path:
        return self._trees / _name(image_id)

    def _note(self, uid: PodUid, volume: str) -> Path:
        return self._pods / uid / "images" / volume

    def _target(self, uid: PodUid, volume: str) -> Path:
        return self._pods / uid / "volumes" / volume


def _taken_away(tree: Path) -> Path:
    return tree if tree.suffix == _OLD else tree.rename(tree.with_name(f"{tree.stem}-{os.urandom(4).hex()}{_OLD}"))


def _text(note: Path) -> str:
    try:
        return note.read_text()
    except FileNotFoundError:
        return ""


def _name(image_id: str) -> str:
    return image_id.rpartition(":")[2]


async def _unpack(archive: AsyncGenerator[bytes, None], directory: Path) -> None:
    """Unpack the archive by a process, which ends when this call is cancelled."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", "agent.volumes.unpack", str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stdin is not None
    try:
        async with contextlib.aclosing(archive):
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it says why
                async for piece in archive:
                    process.stdin.write(piece)
                    await process.stdin.drain()
        process.stdin.close()
        _, output = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        text = complaint(output, process.returncode)
        raise VolumeError(f"the files of the image cannot be unpacked: {text}")
