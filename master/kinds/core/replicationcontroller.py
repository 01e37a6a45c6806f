"""ReplicationController: keeps a number of identical pods running."""

from __future__ import annotations

from msgspec import field

from master.kinds.core.pod.model import PodTemplateSpec
from master.objects.index import OWNER, SELECTOR
from master.objects.meta import Model, Object, always
from master.objects.scalars import Natural, Natural64, Time
from master.registry.resource import Resource


class ReplicationControllerSpec(Model, frozen=True, kw_only=True):
    """The desired number of pods, the selector of the pods that count, and the template of new pods.

    `replicas` defaults to 1, `selector` to the labels of the template. A pod counts as available when it has been ready
    for `minReadySeconds` (default 0).
    """

    replicas: Natural | None = None
    min_ready_seconds: Natural = 0
    selector: dict[str, str] = field(default_factory=dict)
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(Model, frozen=True, kw_only=True):
    """One aspect of the state, such as ReplicaFailure. `status` is True, False or Unknown."""

    type: str = always("")
    status: str = always("")
    last_transition_time: Time = ""
    reason: str = ""
    message: str = ""


class ReplicationControllerStatus(Model, frozen=True, kw_only=True):
    """The observed numbers of pods. `observedGeneration` is the generation of the spec that they belong to."""

    replicas: Natural = always(0)
    fully_labeled_replicas: Natural = 0
    ready_replicas: Natural = 0
    available_replicas: Natural = 0
    observed_generation: Natural64 = 0
    conditions: tuple[ReplicationControllerCondition, ...] = ()


class ReplicationController(Object, frozen=True, kw_only=True):
    """Keeps a number of identical pods running: creates missing ones and deletes surplus ones."""

    spec: ReplicationControllerSpec = field(default_factory=ReplicationControllerSpec)
    status: ReplicationControllerStatus = field(default_factory=ReplicationControllerStatus)


REPLICATIONCONTROLLER = Resource(
    kind="ReplicationController",
    plural="replicationcontrollers",
    model=ReplicationController,
    short_names=("rc",),
    categories=("all",),
    subresources=("status", "scale"),
    fields={"status.replicas": lambda rc: str(rc.status.replicas)},
    has_generation=True,
    indexes=(OWNER, SELECTOR),
)
