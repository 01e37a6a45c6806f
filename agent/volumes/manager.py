"""All volumes of a pod, and the pod's directory on this node.

Owns `state_dir/pods/<uid>/` and its removal: `volumes/<name>`, and `etc/` and `containers/` (written by pods/files.py).
The calls block and are made on a thread.
"""

from __future__ import annotations

import stat
from pathlib import Path

from agent.model import Desired, EmptyDir, HostPath, KeysVolume, Pod, PodUid, VolumeSource
from agent.volumes.emptydir import EmptyDirKind
from agent.volumes.errors import VolumeError
from agent.volumes.hostpath import HostPathKind
from agent.volumes.interface import MemoryFiles, Mounted, VolumeContext
from agent.volumes.keys import KeysKind
from hull.trees import remove_tree


class Volumes:
    """The volumes of all pods on the node."""

    def __init__(self, *, state_dir: Path, host_path_root: Path, memory: MemoryFiles) -> None:
        self._pods = state_dir / "pods"
        self._memory = memory
        self._empty_dir = EmptyDirKind(memory)
        self._host_path = HostPathKind(host_path_root)
        self._keys = KeysKind(memory)

    def directory(self, uid: PodUid) -> Path:
        """The pod's directory."""
        return self._pods / uid

    def prepare(self, pod: Pod, desired: Desired) -> Mounted:
        """Make or update all volumes of a pod."""
        volumes = self.directory(pod.uid) / "volumes"
        return {
            volume.name: self._prepare(volume.source, VolumeContext(pod, volume.name, volumes / volume.name, desired))
            for volume in pod.volumes
        }

    def clean(self, uid: PodUid) -> None:
        """Remove everything that the pod has on this node, except the targets of host paths."""
        directory = self.directory(uid)
        volumes = directory / "volumes"
        if volumes.is_dir():
            for volume in volumes.iterdir():
                self._memory.unmount(volume)
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

    def _prepare(self, source: VolumeSource, context: VolumeContext) -> Path:
        match source:
            case EmptyDir():
                return self._empty_dir.prepare(source, context)
            case HostPath():
                return self._host_path.prepare(source, context)
            case KeysVolume():
                return self._keys.prepare(source, context)
            case _:
                raise VolumeError(
                    f'volume "{context.name}": {source.kind} is not supported by this version; '
                    "use emptyDir, hostPath, configMap or secret"
                )


def mount_source(volume: Path, name: str, sub_path: str) -> Path:
    """The path that a container mounts: the volume, or a path inside it (created if missing)."""
    if not sub_path:
        return volume
    root = volume.resolve()
    path = (root / sub_path).resolve()
    if not path.is_relative_to(root):
        raise VolumeError(f'subPath "{sub_path}" of volume "{name}" leads out of the volume')
    if not path.exists():
        _make(path, stat.S_IMODE(root.stat().st_mode))
    return path


def _make(directory: Path, mode: int) -> None:
    """Create a directory, and its missing parents, with this mode: a user who may write to the volume may write to its
    parts too."""
    if not directory.parent.exists():
        _make(directory.parent, mode)
    directory.mkdir(exist_ok=True)
    directory.chmod(mode)
