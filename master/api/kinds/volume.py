"""The volumes of a pod. emptyDir and hostPath take effect; the other sources are stored as they were given."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import field

from master.objects.meta import Model, always
from master.objects.scalars import Mode, Quantity, Required, choice

_HOST_PATH_TYPES = (
    "",
    "BlockDevice",
    "CharDevice",
    "Directory",
    "DirectoryOrCreate",
    "File",
    "FileOrCreate",
    "Socket",
)


class KeyToPath(Model, frozen=True, kw_only=True):
    """Puts one key of a config map or secret at a path in the volume."""

    key: Required = always("")
    path: Required = always("")
    mode: Mode | None = None


class EmptyDirVolumeSource(Model, frozen=True, kw_only=True):
    """An empty directory that lives as long as the pod; medium "Memory" makes it a tmpfs."""

    medium: str = ""
    size_limit: Quantity | None = None


class HostPathVolumeSource(Model, frozen=True, kw_only=True):
    """A file or directory of the node; an empty type makes no check and creates a directory when there is none."""

    path: str = always("")
    type: (
        Annotated[
            str,
            choice("", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"),
        ]
        | None
    ) = None


class SecretVolumeSource(Model, frozen=True, kw_only=True):
    """A secret's values as files."""

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Mode | None = None
    optional: bool | None = None


class ConfigMapVolumeSource(Model, frozen=True, kw_only=True):
    """A config map's values as files."""

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Mode | None = None
    optional: bool | None = None


class ObjectFieldSelector(Model, frozen=True, kw_only=True):
    """Names a field of the pod itself, as `metadata.name` or `status.podIP`."""

    api_version: str = ""
    field_path: Required = always("")


class ResourceFieldSelector(Model, frozen=True, kw_only=True):
    """Names a resource of a container, as `limits.cpu`."""

    container_name: str = ""
    resource: Required = always("")
    divisor: Quantity | None = None


class DownwardAPIVolumeFile(Model, frozen=True, kw_only=True):
    """One file with a field of the pod."""

    path: Required = always("")
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: Mode | None = None


class DownwardAPIVolumeSource(Model, frozen=True, kw_only=True):
    """Fields of the pod as files."""

    items: tuple[DownwardAPIVolumeFile, ...] = ()
    default_mode: Mode | None = None


class PersistentVolumeClaimVolumeSource(Model, frozen=True, kw_only=True):
    """A claim of the same namespace."""

    claim_name: Required = always("")
    read_only: bool = False


class NFSVolumeSource(Model, frozen=True, kw_only=True):
    """A directory of an NFS server."""

    server: Required = always("")
    path: Required = always("")
    read_only: bool = False


class ProjectedVolumeSource(Model, frozen=True, kw_only=True):
    """Several sources in one directory."""

    sources: tuple[dict[str, Any], ...] = ()
    default_mode: Mode | None = None


class Volume(Model, frozen=True, kw_only=True):
    """A named volume with exactly one source; without any it is an emptyDir."""

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
    """Where a container sees a volume."""

    name: str = always("")
    read_only: bool = False
    recursive_read_only: Annotated[str, choice("Disabled", "Enabled", "IfPossible")] | None = None
    mount_path: str = always("")
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: Annotated[str, choice("Bidirectional", "HostToContainer", "None")] | None = None


class VolumeDevice(Model, frozen=True, kw_only=True):
    """Where a container sees a raw block device."""

    name: Required = always("")
    device_path: Required = always("")
