"""All volumes of a pod, and the pod's directory on this node.

Owns `state_dir/pods/<uid>/` and its removal: `volumes/<name>`, `subpaths/<container>/`, `trees/<container>/`, `groups/`
(groups.py), and `etc/` and `containers/` (written by pods/files.py). calls.py makes all calls that block.
"""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from agent.model import (
    Desired,
    EmptyDir,
    FilesVolume,
    HostPath,
    ImageVolume,
    Nfs,
    Pod,
    PodUid,
    UnsupportedVolume,
    VolumeSource,
    WaitingVolume,
)
from agent.statuses import NO_CAPACITY, Capacity
from agent.volumes import subpaths
from agent.volumes.calls import VolumeCalls, place_of
from agent.volumes.emptydir import EmptyDirKind
from agent.volumes.errors import VolumeError
from agent.volumes.files import FilesKind
from agent.volumes.groups import GroupChanges
from agent.volumes.hostpath import HostPathKind
from agent.volumes.imagetrees import ImageTrees
from agent.volumes.interface import Binds, MemoryFiles, Mounted, Tokens, VolumeContext
from agent.volumes.nfs import NfsMounts, share_name
from agent.volumes.subpaths import Opened, SubPath, SubPaths
from hull.trees import remove_tree

T = TypeVar("T")

_LOG = logging.getLogger(__name__)


class Volumes:
    """The volumes of all pods on the node."""

    def __init__(
        self,
        *,
        state_dir: Path,
        host_path_root: Path,
        memory: MemoryFiles,
        binds: Binds,
        node: Capacity = NO_CAPACITY,
        calls: VolumeCalls | None = None,
    ) -> None:
        self._pods = state_dir / "pods"
        self._sub_paths = SubPaths(binds)
        self.images = ImageTrees(state_dir, binds)
        self._memory = memory
        self._empty_dir = EmptyDirKind(memory, node)
        self._host_path = HostPathKind(host_path_root)
        self._host_path_root = host_path_root
        self._calls = calls or VolumeCalls()
        self._shares = NfsMounts()
        self._groups = GroupChanges(self._pods, self._calls)
        self._files = FilesKind(memory, node)

    def directory(self, uid: PodUid) -> Path:
        """The pod's directory."""
        return self._pods / uid

    async def prepare(self, pod: Pod, desired: Desired, tokens: Tokens | None = None) -> Mounted:
        """Make or update all volumes of a pod. Raises VolumeError, which names the volume.

        Those of the node itself are made first: a server that hangs must not keep new tokens from a running pod.
        """
        contexts = {
            volume.name: VolumeContext(pod, volume.name, self._place(pod.uid, volume.name), desired, tokens or Tokens())
            for volume in pod.volumes
        }
        _check_modes(pod)
        own = [volume for volume in pod.volumes if not isinstance(volume.source, HostPath | Nfs)]
        made = await self._calls.own(
            pod.uid, lambda: {volume.name: self._prepare(volume.source, contexts[volume.name]) for volume in own}
        )
        for volume in pod.volumes:
            if isinstance(volume.source, HostPath | Nfs):
                made[volume.name] = await self._prepare_foreign(volume.source, contexts[volume.name])
            if volume.owned_by_group:
                await self._groups.give(pod, volume.name, made[volume.name])
        return made

    async def read(self, pod: Pod, call: Callable[[], T]) -> T:
        """A call that reads files in the pod's own volumes. Raises VolumeError, and what the call raises."""
        place = f"pod {pod.uid}"  # where a container may have mounted something that hangs
        return await self._calls.foreign(place, call, what="a volume with a file of variables")

    async def mount_source(self, pod: Pod, volume: Path, sub_path: SubPath) -> Path:
        """The path that a container mounts: the volume, or a mount of it or of a path in it (created if missing).

        Raises VolumeError.
        """
        if not sub_path.path and not sub_path.read_only_tree:
            return volume
        source = next(each.source for each in pod.volumes if each.name == sub_path.volume)
        opening = partial(subpaths.open_inside, volume, sub_path)
        opened = await self._calls.foreign(
            place_of(source, pod.uid, self._host_path_root), opening, what=str(sub_path), discard=Opened.close
        )
        directory = self._trees(pod.uid) if sub_path.read_only_tree else self._sub_path_directory(pod.uid)
        try:
            return await self._calls.own(pod.uid, partial(self._sub_paths.mount, opened, sub_path, directory))
        finally:
            opened.close()

    async def release_trees(self, uid: PodUid, container: str) -> None:
        """Unmount the read-only trees of a container that has started: it has its own copy."""
        for target in await self._calls.own(uid, lambda: subpaths.listed(self._trees(uid) / container)):
            await self._unmount(self._sub_paths.unmount, target)

    async def clean(self, uid: PodUid) -> None:
        """Remove everything that the pod has on this node, except the targets of host paths. Raises VolumeError."""
        await self._unmount_all(uid)
        await self._calls.own(uid, partial(self._remove, uid, self.directory(uid)))
        await self._calls.own(uid, self.images.collect)

    async def release(self, uid: PodUid) -> None:
        """Remove the volumes of a pod that has ended, except the targets of host paths. Its other files stay, such as
        the messages of its containers. Raises VolumeError."""
        await self._unmount_all(uid)
        for part in ("subpaths", "trees", "images", "volumes"):
            await self._calls.own(uid, partial(self._remove, uid, self.directory(uid) / part))
        await self._calls.own(uid, self.images.collect)

    async def _unmount_all(self, uid: PodUid) -> None:
        self._groups.forget(uid)
        for directory in (self._sub_path_directory(uid), trees := self._trees(uid)):
            for target in await self._calls.own(uid, partial(subpaths.targets, directory)):
                await self._unmount(self._sub_paths.unmount, target)
        await self._unmount(self._sub_paths.unmount, trees)
        for volume in await self._calls.own(uid, lambda: subpaths.listed(self.directory(uid) / "volumes")):
            await self._unmount(self._memory.unmount, volume)  # also those of servers

    def on_disk(self) -> frozenset[PodUid]:
        """The pods that have a directory on this node."""
        if not self._pods.is_dir():
            return frozenset()
        return frozenset(PodUid(directory.name) for directory in self._pods.iterdir())

    def _place(self, uid: PodUid, volume: str) -> Path:
        return self.directory(uid) / "volumes" / volume

    def _sub_path_directory(self, uid: PodUid) -> Path:
        return self.directory(uid) / "subpaths"

    def _trees(self, uid: PodUid) -> Path:
        return self.directory(uid) / "trees"

    async def _prepare_foreign(self, source: HostPath | Nfs, context: VolumeContext) -> Path:
        name, place = f'volume "{context.name}"', place_of(source, context.pod.uid, self._host_path_root)
        if isinstance(source, HostPath):
            preparing = partial(self._host_path.prepare, source, context)
            return await self._calls.foreign(place, preparing, what=f'{name}: hostPath "{source.path}"')
        try:
            await self._shares.mount(source, context.directory)
            # An older mount whose server is gone would hang in the engine.
            await self._calls.foreign(place, context.directory.stat, what=share_name(source))
        except (VolumeError, OSError) as error:
            raise VolumeError(f"{name}: {error}") from error
        return context.directory

    async def _unmount(self, unmount: Callable[[Path], None], target: Path) -> None:
        try:
            await self._calls.unmount(target, unmount)
        except VolumeError as error:
            _LOG.warning("%s", error)  # if it is still mounted, the removal says so

    def _remove(self, uid: PodUid, directory: Path) -> None:
        """Remove a directory of the pod, with what is in it."""
        try:
            for volume in subpaths.listed(self.directory(uid) / "volumes"):
                _remove_empty(volume)
            remove_tree(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise VolumeError(f"{directory} cannot be removed: {error}") from error

    def _prepare(self, source: VolumeSource, context: VolumeContext) -> Path:
        """Make or update a volume of the node's own."""
        match source:
            case EmptyDir():
                return self._empty_dir.prepare(source, context)
            case FilesVolume():
                return self._files.prepare(source, context)
            case ImageVolume():
                # `images.mount` does the rest, when the image is there.
                context.directory.mkdir(parents=True, exist_ok=True)
                return context.directory
            case WaitingVolume():
                raise VolumeError(f'volume "{context.name}": {source.problem}')
            case UnsupportedVolume():
                raise VolumeError(
                    f'volume "{context.name}": {source.kind} is not supported by this version; '
                    "use emptyDir, hostPath, configMap, secret, downwardAPI, projected, image, nfs "
                    "or persistentVolumeClaim"
                )
            case _:
                raise AssertionError(f"not a volume of the node's own: {source}")


def _check_modes(pod: Pod) -> None:
    """Raises VolumeError for a file system that is used as a block device, or the other way round."""
    mounted = {mount.name for container in pod.all_containers for mount in container.volume_mounts}
    devices = {device.name for container in pod.all_containers for device in container.volume_devices}
    for volume in pod.volumes:
        if isinstance(volume.source, HostPath | Nfs):
            mode, wrong = ("Block", mounted) if volume.block else ("Filesystem", devices)
            field = "volumeMounts" if volume.block else "volumeDevices"
            if volume.name in wrong:
                raise VolumeError(f'volume "{volume.name}" has volumeMode {mode}, but is specified in {field}')


def _remove_empty(directory: Path) -> None:
    """Remove a directory if it is empty, as that of a share is: a mount command that hangs can no longer mount there.

    Raises OSError (EBUSY) if something is mounted.
    """
    try:
        directory.rmdir()
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise
