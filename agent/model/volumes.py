"""Volumes of pods: a name, and the source of what is in them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EmptyDir:
    """A directory that lives as long as the pod; medium "Memory" is a tmpfs."""

    medium: str = ""
    size_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class HostPath:
    """A path on the node. Type "": a missing path is created as a directory; others as Kubernetes' HostPathType."""

    path: str
    type: str = ""


@dataclass(frozen=True, slots=True)
class KeyToPath:
    """A key of a config map or secret, and the path of its file. Mode None: the volume's default."""

    key: str
    path: str
    mode: int | None = None


@dataclass(frozen=True, slots=True)
class KeysVolume:
    """Keys of a config map or (secret=True) of a secret as files; no items: all keys."""

    name: str
    secret: bool
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


@dataclass(frozen=True, slots=True)
class UnsupportedVolume:
    """A source that this version does not support; its pod waits and reports that as the reason."""

    kind: str


VolumeSource = EmptyDir | HostPath | KeysVolume | UnsupportedVolume


@dataclass(frozen=True, slots=True)
class Volume:
    """A named volume of a pod."""

    name: str
    source: VolumeSource
