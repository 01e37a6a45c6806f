"""Makes all controllers of the master."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from master.api.resources import Resources
from master.clock import Clock
from master.component.events import EventRecorder
from master.controllers.accounts import AccountsController
from master.controllers.claimclasses import ClaimClasses
from master.controllers.deployment.controller import DeploymentController
from master.controllers.disruption import DisruptionController
from master.controllers.endpoints import EndpointsController
from master.controllers.endpointslice import EndpointSliceController
from master.controllers.ephemeralvolumes import EphemeralVolumes
from master.controllers.eventexpiry import EventExpiry
from master.controllers.garbage import GarbageCollector
from master.controllers.heartbeats import Heartbeats
from master.controllers.keyed import Controller
from master.controllers.namespace import NamespaceController
from master.controllers.nodelifecycle import NodeLifecycle
from master.controllers.podgc import PodCollector
from master.controllers.replicaset import ReplicaSetController
from master.controllers.replication import ReplicationManager
from master.controllers.rootca import RootCaPublisher
from master.controllers.slicemirroring import SliceMirroringController
from master.controllers.tokencleaner import TokenCleaner
from master.controllers.volumeprotection import VolumeProtection


class Periods(Protocol):
    """The periods of the master's configuration that controllers need, in seconds."""

    @property
    def grace_s(self) -> float:
        """A node without a heartbeat for this long becomes Unknown."""

    @property
    def eviction_s(self) -> float:
        """The pods of a node that has been Unknown for this long are replaced."""


def controllers(
    resources: Resources,
    heartbeats: Heartbeats,
    clock: Clock,
    config: Periods,
    *,
    recorder: EventRecorder,
    ca_pem: Callable[[], bytes],
) -> list[Controller]:
    """The controllers, not yet running. The recorder is shared with scheduler and dispatch; the caller runs it.

    `ca_pem` returns the certificates of the trusted CAs.
    """
    return [
        ReplicationManager(resources, clock, recorder),
        ReplicaSetController(resources, clock, recorder),
        DeploymentController(resources, clock, recorder),
        EndpointsController(resources, clock),
        EndpointSliceController(resources, clock),
        SliceMirroringController(resources, clock),
        DisruptionController(resources, clock),
        NodeLifecycle(resources, heartbeats, clock, recorder, grace_s=config.grace_s, eviction_s=config.eviction_s),
        PodCollector(resources, clock),
        NamespaceController(resources, clock),
        GarbageCollector(resources, clock, recorder),
        EventExpiry(resources, clock),
        TokenCleaner(resources, clock),
        AccountsController(resources, clock),
        RootCaPublisher(resources, clock, ca_pem),
        VolumeProtection(resources, clock),
        ClaimClasses(resources, clock),
        EphemeralVolumes(resources, clock, recorder),
    ]
