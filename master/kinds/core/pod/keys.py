"""References to values: keys of config maps and secrets, fields of the pod, resources of a container."""

from __future__ import annotations

from typing import Annotated

from master.objects.meta import Model, always
from master.objects.scalars import Id, Mode, Quantity, Required, choice


class KeyToPath(Model, frozen=True, kw_only=True):
    """Maps a key of a config map or secret to a path in the volume.

    `mode` has the permission bits of the file, 0 to 0777 (octal); default: the volume's `defaultMode`. `user` owns the
    file.
    """

    key: Required = always("")
    path: Required = always("")
    mode: Mode | None = None
    user: Id | None = None


class ObjectFieldSelector(Model, frozen=True, kw_only=True):
    """A field of the pod itself, such as `metadata.name` or `status.podIP`."""

    api_version: Annotated[str, choice("", "v1")] = ""
    field_path: Required = always("")


class ResourceFieldSelector(Model, frozen=True, kw_only=True):
    """A resource of a container, such as `limits.cpu`. The value is divided by `divisor` (default 1) and rounded up.

    A limit that the container does not have is what its node can give to pods.
    """

    container_name: str = ""
    resource: Required = always("")
    divisor: Quantity | None = None


class ConfigMapKeySelector(Model, frozen=True, kw_only=True):
    """A key of a config map in the pod's namespace. With `optional: true`, map and key may be missing."""

    name: str = ""
    key: str = always("")
    optional: bool | None = None


class SecretKeySelector(Model, frozen=True, kw_only=True):
    """A key of a secret in the pod's namespace. With `optional: true`, secret and key may be missing."""

    name: str = ""
    key: str = always("")
    optional: bool | None = None


class FileKeySelector(Model, frozen=True, kw_only=True):
    """The variable `key` in a file at `path` of the emptyDir `volumeName`, read when the container is created.

    Its lines have the form `NAME='value'`. With `optional: true`, file and variable may be missing.
    """

    volume_name: Required = always("")
    path: Required = always("")
    key: Required = always("")
    optional: bool | None = None


class ConfigMapEnvSource(Model, frozen=True, kw_only=True):
    """A config map whose keys all become variables. With `optional: true`, it may be missing."""

    name: str = ""
    optional: bool | None = None


class SecretEnvSource(Model, frozen=True, kw_only=True):
    """A secret whose keys all become variables. With `optional: true`, it may be missing."""

    name: str = ""
    optional: bool | None = None
