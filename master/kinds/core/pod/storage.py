"""Volumes in storage outside of the node: claims, CSI drivers, network file systems, disks of clouds.

No node supports them yet: a pod with such a volume waits, and the reason of its containers names the source.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import field

from master.objects.meta import LabelSelector, LocalObjectReference, Model, ObjectMeta, always
from master.objects.scalars import Quantity, Required, choice, number_within

# The number of a disk or a partition.
_Byte = Annotated[int, number_within(0, 255, bits=32)]


class PersistentVolumeClaimVolumeSource(Model, frozen=True, kw_only=True):
    """A volume claim in the pod's namespace."""

    claim_name: Required = always("")
    read_only: bool = False


class TypedLocalObjectReference(Model, frozen=True, kw_only=True):
    """Names an object of any kind in the same namespace."""

    api_group: str | None = None
    kind: Required = always("")
    name: Required = always("")


class TypedObjectReference(Model, frozen=True, kw_only=True):
    """Names an object of any kind in any namespace."""

    api_group: str | None = None
    kind: Required = always("")
    name: Required = always("")
    namespace: str | None = None


class VolumeResourceRequirements(Model, frozen=True, kw_only=True):
    """The size that a volume must have (`requests`), and the largest that it may have (`limits`)."""

    limits: dict[str, Quantity] = field(default_factory=dict)
    requests: dict[str, Quantity] = field(default_factory=dict)


class PersistentVolumeClaimSpec(Model, frozen=True, kw_only=True):
    """The volume that a claim asks for: its size, its storage class, and how nodes may mount it."""

    access_modes: tuple[str, ...] = ()
    selector: LabelSelector | None = None
    resources: VolumeResourceRequirements = field(default_factory=VolumeResourceRequirements)
    volume_name: str = ""
    storage_class_name: str | None = None
    volume_mode: Annotated[str, choice("Block", "Filesystem")] | None = None
    data_source: TypedLocalObjectReference | None = None
    data_source_ref: TypedObjectReference | None = None
    volume_attributes_class_name: str | None = None


class PersistentVolumeClaimTemplate(Model, frozen=True, kw_only=True):
    """Labels, annotations and spec of a claim that is made for the pod."""

    metadata: ObjectMeta = field(default_factory=ObjectMeta)
    spec: PersistentVolumeClaimSpec = field(default_factory=PersistentVolumeClaimSpec)


class EphemeralVolumeSource(Model, frozen=True, kw_only=True):
    """A volume that is made for the pod from a template of a claim, and deleted with the pod."""

    volume_claim_template: PersistentVolumeClaimTemplate | None = None


class CSIVolumeSource(Model, frozen=True, kw_only=True):
    """A volume that a CSI driver makes for the pod."""

    driver: Required = always("")
    read_only: bool | None = None
    fs_type: str | None = None
    volume_attributes: dict[str, str] = field(default_factory=dict)
    node_publish_secret_ref: LocalObjectReference | None = None


class ImageVolumeSource(Model, frozen=True, kw_only=True):
    """The files of a container image, read-only, and without programs that could be run.

    `pullPolicy` is as for containers. A volume keeps its image as long as its pod exists.
    """

    reference: str = ""
    pull_policy: Annotated[str, choice("", "Always", "IfNotPresent", "Never")] = ""


class NFSVolumeSource(Model, frozen=True, kw_only=True):
    """A directory of an NFS server."""

    server: Required = always("")
    path: Required = always("")
    read_only: bool = False


class ISCSIVolumeSource(Model, frozen=True, kw_only=True):
    """A disk of an iSCSI target."""

    target_portal: Required = always("")
    iqn: Required = always("")
    lun: _Byte = always(0)
    iscsi_interface: str = ""
    fs_type: str = ""
    read_only: bool = False
    portals: tuple[str, ...] = ()
    chap_auth_discovery: bool = False
    chap_auth_session: bool = False
    secret_ref: LocalObjectReference | None = None
    initiator_name: str | None = None


class FCVolumeSource(Model, frozen=True, kw_only=True):
    """A disk of a Fibre Channel target."""

    target_wwns: tuple[str, ...] = field(default=(), name="targetWWNs")
    lun: _Byte | None = None
    fs_type: str = ""
    read_only: bool = False
    wwids: tuple[str, ...] = ()


class RBDVolumeSource(Model, frozen=True, kw_only=True):
    """A RADOS block device of a Ceph cluster."""

    monitors: tuple[str, ...] = always(())
    image: Required = always("")
    fs_type: str = ""
    pool: str = ""
    user: str = ""
    keyring: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False


class CephFSVolumeSource(Model, frozen=True, kw_only=True):
    """A directory of a Ceph file system."""

    monitors: tuple[str, ...] = always(())
    path: str = ""
    user: str = ""
    secret_file: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False


class GlusterfsVolumeSource(Model, frozen=True, kw_only=True):
    """A GlusterFS volume."""

    endpoints: Required = always("")
    path: Required = always("")
    read_only: bool = False


class CinderVolumeSource(Model, frozen=True, kw_only=True):
    """A disk of OpenStack."""

    volume_id: Required = always("")
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class FlexVolumeSource(Model, frozen=True, kw_only=True):
    """A volume of a FlexVolume driver, which is a program on the node."""

    driver: Required = always("")
    fs_type: str = ""
    secret_ref: LocalObjectReference | None = None
    read_only: bool = False
    options: dict[str, str] = field(default_factory=dict)


class FlockerVolumeSource(Model, frozen=True, kw_only=True):
    """A Flocker data set."""

    dataset_name: str = ""
    dataset_uuid: str = ""


class QuobyteVolumeSource(Model, frozen=True, kw_only=True):
    """A Quobyte volume."""

    registry: Required = always("")
    volume: Required = always("")
    read_only: bool = False
    user: str = ""
    group: str = ""
    tenant: str = ""


class PortworxVolumeSource(Model, frozen=True, kw_only=True):
    """A Portworx volume."""

    volume_id: Required = always("")
    fs_type: str = ""
    read_only: bool = False


class ScaleIOVolumeSource(Model, frozen=True, kw_only=True):
    """A ScaleIO volume."""

    gateway: Required = always("")
    system: Required = always("")
    secret_ref: LocalObjectReference | None = None
    ssl_enabled: bool = False
    protection_domain: str = ""
    storage_pool: str = ""
    storage_mode: str = ""
    volume_name: str = ""
    fs_type: str = ""
    read_only: bool = False


class StorageOSVolumeSource(Model, frozen=True, kw_only=True):
    """A StorageOS volume."""

    volume_name: str = ""
    volume_namespace: str = ""
    fs_type: str = ""
    read_only: bool = False
    secret_ref: LocalObjectReference | None = None


class VsphereVirtualDiskVolumeSource(Model, frozen=True, kw_only=True):
    """A virtual disk of vSphere."""

    volume_path: Required = always("")
    fs_type: str = ""
    storage_policy_name: str = ""
    storage_policy_id: str = ""


class AzureDiskVolumeSource(Model, frozen=True, kw_only=True):
    """A disk of Azure."""

    disk_name: Required = always("")
    disk_uri: Required = always("")
    caching_mode: Annotated[str, choice("None", "ReadOnly", "ReadWrite")] | None = None
    fs_type: str | None = None
    read_only: bool | None = None
    kind: Annotated[str, choice("Dedicated", "Managed", "Shared")] | None = None


class AzureFileVolumeSource(Model, frozen=True, kw_only=True):
    """A file share of Azure."""

    secret_name: Required = always("")
    share_name: Required = always("")
    read_only: bool = False


class AWSElasticBlockStoreVolumeSource(Model, frozen=True, kw_only=True):
    """A disk of AWS."""

    volume_id: Required = always("")
    fs_type: str = ""
    partition: _Byte = 0
    read_only: bool = False


class GCEPersistentDiskVolumeSource(Model, frozen=True, kw_only=True):
    """A disk of Google Cloud."""

    pd_name: Required = always("")
    fs_type: str = ""
    partition: _Byte = 0
    read_only: bool = False


class PhotonPersistentDiskVolumeSource(Model, frozen=True, kw_only=True):
    """A disk of a Photon controller."""

    pd_id: Required = always("")
    fs_type: str = ""


class GitRepoVolumeSource(Model, frozen=True, kw_only=True):
    """The files of a Git repository. Kubernetes does not support it any more either."""

    repository: Required = always("")
    revision: str = ""
    directory: str = ""
