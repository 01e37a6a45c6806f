"""The volumes of a pod, and their mounts in containers.

Nodes support emptyDir, hostPath, configMap, secret, downwardAPI, projected, image, nfs, and claims of volumes of the
kinds hostPath, local and nfs. A pod with another source (storage.py) waits.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from master.kinds.core.pod.keys import KeyToPath
from master.kinds.core.pod.projected import DownwardAPIVolumeSource, ProjectedVolumeSource
from master.kinds.core.pod.storage import (
    AWSElasticBlockStoreVolumeSource,
    AzureDiskVolumeSource,
    AzureFileVolumeSource,
    CephFSVolumeSource,
    CinderVolumeSource,
    CSIVolumeSource,
    EphemeralVolumeSource,
    FCVolumeSource,
    FlexVolumeSource,
    FlockerVolumeSource,
    GCEPersistentDiskVolumeSource,
    GitRepoVolumeSource,
    GlusterfsVolumeSource,
    ImageVolumeSource,
    ISCSIVolumeSource,
    NFSVolumeSource,
    PersistentVolumeClaimVolumeSource,
    PhotonPersistentDiskVolumeSource,
    PortworxVolumeSource,
    QuobyteVolumeSource,
    RBDVolumeSource,
    ScaleIOVolumeSource,
    StorageOSVolumeSource,
    VsphereVirtualDiskVolumeSource,
)
from master.objects.meta import Model, always
from master.objects.scalars import Id, Mode, Quantity, Required, choice, inert, number_within, refused

# The node does not refuse such a pod at once: its containers wait, with the reason, until the pod is deleted.
_WAITS = refused("the volume would have this source; the pod waits, and its containers say why")


class EmptyDirVolumeSource(Model, frozen=True, kw_only=True):
    """A directory that is empty at first and exists as long as the pod.

    `medium` "" is a directory on the node's disk, Memory a tmpfs. `sizeLimit` is in bytes, such as `1Gi`: a pod that
    writes more to a disk is evicted. `mode` has the permission bits of the directory,
    0 to 01777 (octal, default 0777).
    """

    medium: Annotated[
        str, refused("the volume would be in huge pages; the pod waits", values=("HugePages", "HugePages-*"))
    ] = ""
    size_limit: Quantity | None = None
    mode: Annotated[int, number_within(0, 0o1777, bits=32)] | None = None


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

    `items` limits them to certain keys. `defaultMode` (default 0644, octal) has the permission bits, `defaultUser` is
    the owner. With `optional: true`, the secret may be missing.
    """

    secret_name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Mode | None = None
    optional: bool | None = None
    default_user: Id | None = None


class ConfigMapVolumeSource(Model, frozen=True, kw_only=True):
    """The values of a config map as files, one for each key.

    `items` limits them to certain keys. `defaultMode` (default 0644, octal) has the permission bits, `defaultUser` is
    the owner. With `optional: true`, the config map may be missing.
    """

    name: str = ""
    items: tuple[KeyToPath, ...] = ()
    default_mode: Mode | None = None
    optional: bool | None = None
    default_user: Id | None = None


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
    csi: Annotated[CSIVolumeSource, _WAITS] | None = None
    ephemeral: EphemeralVolumeSource | None = None
    git_repo: Annotated[GitRepoVolumeSource, _WAITS] | None = None
    iscsi: Annotated[ISCSIVolumeSource, _WAITS] | None = None
    fc: Annotated[FCVolumeSource, _WAITS] | None = None
    rbd: Annotated[RBDVolumeSource, _WAITS] | None = None
    cephfs: Annotated[CephFSVolumeSource, _WAITS] | None = None
    glusterfs: Annotated[GlusterfsVolumeSource, _WAITS] | None = None
    cinder: Annotated[CinderVolumeSource, _WAITS] | None = None
    flocker: Annotated[FlockerVolumeSource, _WAITS] | None = None
    flex_volume: Annotated[FlexVolumeSource, _WAITS] | None = None
    quobyte: Annotated[QuobyteVolumeSource, _WAITS] | None = None
    portworx_volume: Annotated[PortworxVolumeSource, _WAITS] | None = None
    scale_io: Annotated[ScaleIOVolumeSource, _WAITS] | None = field(default=None, name="scaleIO")
    storageos: Annotated[StorageOSVolumeSource, _WAITS] | None = None
    vsphere_volume: Annotated[VsphereVirtualDiskVolumeSource, _WAITS] | None = None
    azure_disk: Annotated[AzureDiskVolumeSource, _WAITS] | None = None
    azure_file: Annotated[AzureFileVolumeSource, _WAITS] | None = None
    aws_elastic_block_store: Annotated[AWSElasticBlockStoreVolumeSource, _WAITS] | None = None
    gce_persistent_disk: Annotated[GCEPersistentDiskVolumeSource, _WAITS] | None = None
    photon_persistent_disk: Annotated[PhotonPersistentDiskVolumeSource, _WAITS] | None = None
    image: ImageVolumeSource | None = None


class VolumeMount(Model, frozen=True, kw_only=True):
    """The path at which a container sees a volume.

    `subPath` mounts only this part of the volume; `subPathExpr` is the same with `$(NAME)` for environment variables.
    `recursiveReadOnly`: whether what is mounted below a read-only volume is read-only too (Enabled), perhaps only where
    the node can do that (IfPossible). `mountPropagation`: whether the container sees what the node mounts below the
    volume later (HostToContainer), and the node what the container mounts (Bidirectional, for privileged containers).
    """

    name: str = always("")
    read_only: bool = False
    recursive_read_only: Annotated[str, choice("Disabled", "Enabled", "IfPossible")] | None = None
    mount_path: str = always("")
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: Annotated[str, choice("Bidirectional", "HostToContainer", "None")] | None = None
    bind_mount_options: Annotated[
        tuple[Annotated[str, choice("nodev", "noexec", "nosuid")], ...],
        inert("the mount would have these options"),
    ] = ()


class VolumeDevice(Model, frozen=True, kw_only=True):
    """The path at which a container sees a block device."""

    name: Required = always("")
    device_path: Required = always("")
