"""The replication controller: keeps the number of active pods that each ReplicationController asks for."""

from __future__ import annotations

from master import kinds
from master.api.resources import Resources
from master.clock import Clock
from master.component.events import EventRecorder
from master.controllers.workload.replicas import ReplicaManager


class ReplicationManager(ReplicaManager):
    """Keeps the pods of all ReplicationControllers up to date."""

    def __init__(self, resources: Resources, clock: Clock, recorder: EventRecorder) -> None:
        super().__init__(kinds.REPLICATIONCONTROLLER, "replication", resources, clock, recorder)
