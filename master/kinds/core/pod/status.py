"""Details in the status of a pod and its containers: users, mounts, health of devices and volumes, claims.

Nodes report users, and the master fills in mounts. Clients that copy a status of another cluster may send the rest.
"""

from __future__ import annotations

from typing import Annotated

from master.objects.meta import Model, always
from master.objects.scalars import Id, Quantity, Time, choice


class ImageVolumeStatus(Model, frozen=True, kw_only=True):
    """The exact reference of the artifact that an image volume has."""

    image_ref: str = always("")


class VolumeStatus(Model, frozen=True, kw_only=True):
    """The state of a mounted volume."""

    image: ImageVolumeStatus | None = None


class VolumeMountStatus(Model, frozen=True, kw_only=True):
    """A mount as the node made it."""

    name: str = always("")
    mount_path: str = always("")
    read_only: bool = False
    recursive_read_only: Annotated[str, choice("Disabled", "Enabled", "IfPossible")] | None = None
    volume_status: VolumeStatus | None = None


class LinuxContainerUser(Model, frozen=True, kw_only=True):
    """The user and the groups of a container's first process."""

    uid: Id = always(0)
    gid: Id = always(0)
    supplemental_groups: tuple[Id, ...] = ()


class ContainerUser(Model, frozen=True, kw_only=True):
    """The user of a container's first process."""

    linux: LinuxContainerUser | None = None


class ResourceHealth(Model, frozen=True, kw_only=True):
    """The health of a device: Healthy, Unhealthy or Unknown."""

    resource_id: str = always("")
    health: str = ""
    message: str = ""


class ResourceStatus(Model, frozen=True, kw_only=True):
    """The health of the devices of a resource."""

    name: str = always("")
    resources: tuple[ResourceHealth, ...] = ()


class PodResourceClaimStatus(Model, frozen=True, kw_only=True):
    """The resource claim that was made for a claim of the pod."""

    name: str = always("")
    resource_claim_name: str | None = None


class ContainerExtendedResourceRequest(Model, frozen=True, kw_only=True):
    """The request in a resource claim that stands for an extended resource of a container."""

    container_name: str = always("")
    resource_name: str = always("")
    request_name: str = always("")


class PodExtendedResourceClaimStatus(Model, frozen=True, kw_only=True):
    """The resource claim that was made for the extended resources of the pod."""

    request_mappings: tuple[ContainerExtendedResourceRequest, ...] = always(())
    resource_claim_name: str = always("")


class NodeAllocatableMappedResources(Model, frozen=True, kw_only=True):
    """An amount of a node's resource."""

    name: str = always("")
    quantity: Quantity | None = None


class NodeAllocatableOverheadResources(Model, frozen=True, kw_only=True):
    """The overhead of a device in a node's resource, for each pod and for each container."""

    name: str = always("")
    per_pod: Quantity | None = None
    per_container: Quantity | None = None


class NodeAllocatableResourceClaimStatus(Model, frozen=True, kw_only=True):
    """The node's resources that a resource claim needs."""

    resource_claim_name: str = always("")
    containers: tuple[str, ...] = ()
    mapping: tuple[NodeAllocatableMappedResources, ...] = ()
    overhead: tuple[NodeAllocatableOverheadResources, ...] = ()


class VolumeHealthCondition(Model, frozen=True, kw_only=True):
    """One problem of a volume: Inaccessible, DataLoss or Degraded."""

    status: str = always("")
    reason: str = always("")
    message: str = ""


class PodVolumeHealth(Model, frozen=True, kw_only=True):
    """The health of a volume of the pod."""

    name: str = always("")
    health_conditions: tuple[VolumeHealthCondition, ...] = ()
    last_transition_time: Time = ""
