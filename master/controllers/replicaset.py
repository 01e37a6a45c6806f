"""The replica set controller: keeps the number of active pods that each ReplicaSet asks for."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from master import kinds
from master.api.resources import Resources
from master.clock import Clock
from master.component.events import EventRecorder
from master.controllers.workload.counts import Counts
from master.controllers.workload.replicas import ReplicaManager


class ReplicaSetController(ReplicaManager):
    """Keeps the pods of all ReplicaSets up to date. Unlike the older kind, a replica set counts terminating pods."""

    def __init__(self, resources: Resources, clock: Clock, recorder: EventRecorder) -> None:
        super().__init__(kinds.REPLICASET, "replicaset", resources, clock, recorder)

    def status(self, obj: Any, counts: Counts, conditions: tuple[Any, ...]) -> Any:
        return replace(super().status(obj, counts, conditions), terminating_replicas=counts.terminating)
