"""All volumes of a pod, and the pod's directory on this node.

Owns `state_dir/pods/<uid>/` and its removal: `volumes/<name>`, `subpaths/<container>/`, and `etc/` and `containers/`
(written by pods/files.py). The calls block and are made on a thread, apart from `mount_shares`.
"""

from __future__ import annotations

from pathlib import Path

from agent.model import Desired, EmptyDir, FilesVolume, HostPath, Nfs, Pod, PodUid, VolumeSource, WaitingVolume
from agent.statuses import NO_CAPACITY, Capacity
from agent.volumes.emptydir import EmptyDirKind
from agent.volumes.errors import VolumeError
from agent.volumes.files import FilesKind
from agent.volumes.hostpath import HostPathKind
from agent.volumes.interface import Binds, MemoryFiles, Mounted, Tokens, VolumeContext
from agent.volumes.nfs import NfsMounts
from agent.volumes.subpaths import SubPath, SubPaths
from hull.trees import remove_tree


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
    ) -> None:
        self._pods = state_dir / "pods"
        self._sub_paths = SubPaths(binds)
        self._memory = memory
        self._empty_dir = EmptyDirKind(memory)
        self._host_path = HostPathKind(host_path_root)
        self._shares = NfsMounts()
        self._files = FilesKind(memory, node)
        self._node = node

    def directory(self, uid: PodUid) -> Path:
        """The pod's directory."""
        return self._pods / uid

    async def mount_shares(self, pod: Pod) -> None:
        """Mount the volumes of a pod that lie on servers. Call it before `prepare`. Raises VolumeError."""
        volumes = self.directory(pod.uid) / "volumes"
        for volume in pod.volumes:
            if isinstance(volume.source, Nfs):
                try:
                    await self._shares.mount(volume.source, volumes / volume.name)
                except VolumeError as error:
                    raise VolumeError(f'volume "{volume.name}": {error}') from error

    def prepare(self, pod: Pod, desired: Desired, tokens: Tokens | None = None) -> Mounted:
        """Make or update all volumes of a pod."""
        volumes = self.directory(pod.uid) / "volumes"
        return {
            volume.name: self._prepare(
                volume.source,
                VolumeContext(pod, volume.name, volumes / volume.name, desired, tokens or Tokens(), self._node),
            )
            for volume in pod.volumes
        }

    def mount_source(self, uid: PodUid, volume: Path, sub_path: SubPath) -> Path:
        """The path that a container mounts: the volume, or a mount of it or of a path in it (created if missing)."""
        if not sub_path.path and not sub_path.read_only_tree:
            return volume
        return self._sub_paths.expose(volume, sub_path, self._sub_path_directory(uid))

    def clean(self, uid: PodUid) -> None:
        """Remove everything that the pod has on this node, except the targets of host paths."""
        directory = self.directory(uid)
        self._sub_paths.clean(self._sub_path_directory(uid))
        volumes = directory / "volumes"
        if volumes.is_dir():
            for volume in volumes.iterdir():
                self._memory.unmount(volume)  # also those of servers
        try:
            remove_tree(directory)
        except FileNotFoundError:
            return
        except OSError as error:
            raise VolumeError(f"{directory} cannot be removed: {error}") from error

    def on_disk(self) -> frozenset[PodUid]:
        """The pods that have a directory on this node."""
        if not self._pods.is_dir():
            return frozenset()
        return frozenset(PodUid(directory.name) for directory in self._pods.iterdir())

    def _sub_path_directory(self, uid: PodUid) -> Path:
        return self.directory(uid) / "subpaths"

    def _prepare(self, source: VolumeSource, context: VolumeContext) -> Path:
        match source:
            case EmptyDir():
                return self._empty_dir.prepare(source, context)
            case HostPath():
                return self._host_path.prepare(source, context)
            case FilesVolume():
                return self._files.prepare(source, context)
            case Nfs():
                return context.directory  # mount_shares has mounted it
            case WaitingVolume():
                raise VolumeError(f'volume "{context.name}": {source.problem}')
            case _:
                raise VolumeError(
                    f'volume "{context.name}": {source.kind} is not supported by this version; '
                    "use emptyDir, hostPath, configMap, secret, downwardAPI, projected, nfs or persistentVolumeClaim"
                )
