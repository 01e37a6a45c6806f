"""The volumes of a pod. emptyDir, hostPath, configMap and secret take effect.

The other sources are stored; a pod that uses one does not start.
"""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.objects.meta import Model, always
from master.objects.scalars import Mode, Quantity, Required, choice


class KeyToPath(Model, frozen=True, kw_only=True):
    """Maps a key of a config map or secret to a path in the volume.

    `mode` has permission bits, 0 to 0777 (octal); it is stored, not used yet.
    """

    key: Required = always("")
    path: Required = always("")
    mode: Mode | None = None


class EmptyDirVolumeSource(Model, frozen=True, kw_only=True):
    """A directory that is empty at first and exists as long as the pod.

    `medium` "" is a directory on the node's disk, Memory a tmpfs. `sizeLimit` is in bytes, such as `1Gi`; it is stored,
    not enforced yet.
    """

    medium: str = ""
    size_limit: Quantity | None = None


class HostPathVolumeSource(Model, frozen=True, kw_only=True):
    """A file or directory of the node.

    `type` says what must exist at `path`: File, Directory, Socket, CharDevice or BlockDevice; FileOrCreate and
    DirectoryOrCreate create it if it is missing. With "" (default) nothing is checked, and a missing path becomes a
    directory.
    """

    path: str = always("")
    type: (
        Annotated[
            str,
            choice("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"),
        ]
        | None
    ) = None


class SecretVolumeSource(Model, frozen=True, kw_only=True):
    """The values of a secret as files, one for each key.

    `items` limits them to certain keys. `defaultMode` (default 0644, octal) has the permission bits. With `optional:
    true`, the secret may be missing.
    """

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Mode | None = None
    optional: bool | None = None


class ConfigMapVolumeSource(Model, frozen=True, kw_only=True):
    """The values of a config map as files, one for each key.

    `items` limits them to certain keys. `defaultMode` (default 0644, octal) has the permission bits. With `optional:
    true`, the config map may be missing.
    """

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Mode | None = None
    optional: bool | None = None


class ObjectFieldSelector(Model, frozen=True, kw_only=True):
    """A field of the pod itself, such as `metadata.name` or `status.podIP`."""

    api_version: str = ""
    field_path: Required = always("")


class ResourceFieldSelector(Model, frozen=True, kw_only=True):
    """A resource of a container, such as `limits.cpu`. The value is divided by `divisor` (default 1) and rounded up."""

    container_name: str = ""
    resource: Required = always("")
    divisor: Quantity | None = None


class DownwardAPIVolumeFile(Model, frozen=True, kw_only=True):
    """A file whose content is a field of the pod or a resource of a container."""

    path: Required = always("")
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: Mode | None = None


class DownwardAPIVolumeSource(Model, frozen=True, kw_only=True):
    """Fields of the pod as files. Stored, not supported yet."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: Mode | None = None


class PersistentVolumeClaimVolumeSource(Model, frozen=True, kw_only=True):
    """A volume claim in the pod's namespace. Stored, not supported yet."""

    claim_name: Required = always("")
    read_only: bool = False


class NFSVolumeSource(Model, frozen=True, kw_only=True):
    """A directory of an NFS server. Stored, not supported yet."""

    server: Required = always("")
    path: Required = always("")
    read_only: bool = False


class ProjectedVolumeSource(Model, frozen=True, kw_only=True):
    """Several sources in one directory. Stored, not supported yet."""

    sources: tuple[dict[str, Any], ...] = ()
    default_mode: Mode | None = None


class Volume(Model, frozen=True, kw_only=True):
    """A volume with a name and exactly one source. Without a source it is an emptyDir."""

    name: str = always("")
    empty_dir: EmptyDirVolumeSource | None = None
    host_path: HostPathVolumeSource | None = None
    secret: SecretVolumeSource | None = None
    config_map: ConfigMapVolumeSource | None = None
    downward_api: DownwardAPIVolumeSource | None = None
    persistent_volume_claim: PersistentVolumeClaimVolumeSource | None = None
    nfs: NFSVolumeSource | None = None
    projected: ProjectedVolumeSource | None = None
    csi: dict[str, Any] | None = None
    ephemeral: dict[str, Any] | None = None
    git_repo: dict[str, Any] | None = None
    iscsi: dict[str, Any] | None = None
    fc: dict[str, Any] | None = None
    rbd: dict[str, Any] | None = None
    cephfs: dict[str, Any] | None = None
    glusterfs: dict[str, Any] | None = None
    cinder: dict[str, Any] | None = None
    flocker: dict[str, Any] | None = None
    flex_volume: dict[str, Any] | None = None
    quobyte: dict[str, Any] | None = None
    portworx_volume: dict[str, Any] | None = None
    scale_io: dict[str, Any] | None = field(default=None, name="scaleIO")
    storageos: dict[str, Any] | None = None
    vsphere_volume: dict[str, Any] | None = None
    azure_disk: dict[str, Any] | None = None
    azure_file: dict[str, Any] | None = None
    aws_elastic_block_store: dict[str, Any] | None = None
    gce_persistent_disk: dict[str, Any] | None = None
    photon_persistent_disk: dict[str, Any] | None = None
    image: dict[str, Any] | None = None


class VolumeMount(Model, frozen=True, kw_only=True):
    """The path at which a container sees a volume.

    `subPath` mounts only this part of the volume; `subPathExpr` is the same with `$(NAME)` for environment variables.
    """

    name: str = always("")
    read_only: bool = False
    recursive_read_only: Annotated[str, choice("Disabled", "Enabled", "IfPossible")] | None = None
    mount_path: str = always("")
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: Annotated[str, choice("Bidirectional", "HostToContainer", "None")] | None = None


class VolumeDevice(Model, frozen=True, kw_only=True):
    """The path at which a container sees a block device. Stored, not supported yet."""

    name: Required = always("")
    device_path: Required = always("")
