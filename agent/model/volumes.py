"""Volumes of pods: a name, and the source of what is in them."""

from __future__ import annotations

from dataclasses import dataclass

from agent.model.containers import PullPolicy
from agent.model.resourcefields import ResourceField


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """A directory that lives as long as the pod; medium "Memory" is a tmpfs."""

    medium: str = ""
    size_limit_bytes: int = 0
    mode: int = 0o777
    """Permission bits, up to 01777."""


@dataclass(frozen=True, slots=True)
class HostPath:
    """A path on the node. Type "": a missing path is created as a directory; others as Kubernetes' HostPathType."""

    path: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class KeyToPath:
    """A key of a config map or secret, and the path of its file. None: the volume's mode, the user of the source."""

    key: str
    path: str
    mode: int | None = None
    user: int | None = None


@dataclass(frozen=True, slots=True)
class KeysSource:
    """Keys of a config map or (secret=True) of a secret as files; no items: all keys."""

    name: str
    secret: bool
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False
    user: int | None = None
    """The owner of the files; None: root."""


@dataclass(frozen=True, slots=True)
class DownwardFile:
    """A field of the pod's metadata or, with `resource`, a number of a container, as a file."""

    path: str
    field_path: str = ""
    resource: ResourceField | None = None
    mode: int | None = None
    user: int | None = None


@dataclass(frozen=True, slots=True)
class DownwardSource:
    """The downward API as files."""

    items: tuple[DownwardFile, ...]


@dataclass(frozen=True, slots=True)
class TokenSource:
    """A token of the pod's service account as a file; audience "": the API server."""

    path: str
    audience: str = ""
    expiration_s: int = 3600
    user: int | None = None
    """The owner of the file; None: the user of all containers, or root if they have no common one."""


FileSource = KeysSource | DownwardSource | TokenSource


@dataclass(frozen=True, slots=True)
class FilesVolume:
    """Files of several sources in one directory, which change together. Of two with the same path, the later counts."""

    sources: tuple[FileSource, ...]
    default_mode: int = 0o644
    in_memory: bool = True

    @property
    def keys(self) -> tuple[KeysSource, ...]:
        """The sources that are config maps and secrets."""
        return tuple(source for source in self.sources if isinstance(source, KeysSource))


@dataclass(frozen=True, slots=True)
class Nfs:
    """A directory of an NFS server."""

    server: str
    path: str
    read_only: bool = False
    mount_options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageVolume:
    """The files of an image, read-only."""

    reference: str
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT


@dataclass(frozen=True, slots=True)
class WaitingVolume:
    """The master does not know yet what the volume is; the problem says why."""

    problem: str


@dataclass(frozen=True, slots=True)
class UnsupportedVolume:
    """A source that this version does not support; its pod waits and reports that as the reason."""

    kind: str


VolumeSource = EmptyDir | HostPath | FilesVolume | Nfs | ImageVolume | WaitingVolume | UnsupportedVolume


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of a pod."""

    name: str
    source: VolumeSource
    read_only: bool = False
    """All mounts of it are read-only."""
    owned_by_group: bool = False
    """The pod's group is made the owner of what is in it, a host path, when the pod comes to the node."""
    block: bool = False
    """It is a block device, a host path."""
