"""A cluster without agents: the store in memory, the real cache and pipeline, and a fake clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Protocol

from msgspec.structs import replace

from master import cluster_api, kinds
from master.api.identity import component
from master.cache import Cache
from master.component.events import EventRecorder
from master.kinds.apps.deployment import Deployment, DeploymentSpec
from master.kinds.apps.replicaset import ReplicaSet, ReplicaSetSpec
from master.kinds.core.namespace import Namespace
from master.kinds.core.node import Node, NodeCondition, NodeSpec, NodeStatus
from master.kinds.core.pod.container import Container, ContainerPort, ResourceRequirements
from master.kinds.core.pod.model import Pod, PodCondition, PodSpec, PodStatus, PodTemplateSpec
from master.kinds.core.replicationcontroller import ReplicationController, ReplicationControllerSpec
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import LabelSelector, ObjectMeta, OwnerReference, timestamp
from master.store.memory import MemoryStore
from tests.fakes.clock import FakeClock, settle

CALLER = component("test")


class Runs(Protocol):
    """A component with a `run` loop."""

    async def run(self) -> None: ...


class FakeCluster:
    """The base of tests of controllers and scheduler. It has the namespace `default`; tests add other objects."""

    def __init__(self, store: MemoryStore, cache: Cache, clock: FakeClock) -> None:
        self.store = store
        self.cache = cache
        self.clock = clock
        self.resources = cluster_api.resources(store, cache, kinds.registry(), clock=clock)
        self.recorder = EventRecorder(self.resources, clock)

    @classmethod
    async def make(cls) -> FakeCluster:
        store, clock = MemoryStore(), FakeClock()
        cluster = cls(store, await Cache.load(store, kinds.ALL), clock)
        await cluster.create(kinds.NAMESPACE, Namespace(metadata=ObjectMeta(name="default")))
        return cluster

    @asynccontextmanager
    async def running(self, *components: Runs) -> AsyncIterator[None]:
        """Runs the components and the event recorder until the end of the block."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(component.run()) for component in (self.recorder, *components)]
            await settle()
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()

    # -- objects ------------------------------------------------------------------------------------------------

    async def create(self, kind: Any, obj: Any) -> Any:
        return await self.resources.create(CALLER, kind, obj, namespace=obj.metadata.namespace)

    async def delete(self, kind: Any, name: str, *, namespace: str = "default", **options: Any) -> None:
        await self.resources.delete(CALLER, kind, namespace if kind.namespaced else "", name, **options)

    async def change(self, kind: Any, name: str, change: Any, *, subresource: str = "") -> Any:
        namespace = "default" if kind.namespaced else ""
        return await self.resources.mutate(CALLER, kind, namespace, name, change, subresource=subresource)

    async def node(self, name: str, **values: Any) -> Node:
        created: Node = await self.create(kinds.NODE, node(name, **values))
        return created

    async def pod(self, name: str, **values: Any) -> Pod:
        obj = pod(name, **values)
        created: Pod = await self.create(kinds.POD, obj)
        if obj.status != PodStatus():
            await self.change(kinds.POD, name, lambda old: replace(old, status=obj.status), subresource="status")
        return created

    async def pod_status(self, name: str, **values: Any) -> None:
        """Writes a pod's status, as the report of an agent does."""
        status = pod_status(**values)
        await self.change(kinds.POD, name, lambda old: replace(old, status=status), subresource="status")

    def get(self, kind: Any, name: str, namespace: str = "default") -> Any:
        return self.cache.get(kind, namespace if kind.namespaced else "", name)

    def pods(self) -> list[Pod]:
        return self.cache.list(kinds.POD)

    def events(self, reason: str = "") -> list[Any]:
        return [event for event in self.cache.list(kinds.EVENT) if not reason or event.reason == reason]


def node(
    name: str,
    *,
    cpu: str = "1",
    memory: str = "1Gi",
    pods: str = "110",
    ready: str = "True",
    unschedulable: bool = False,
    labels: dict[str, str] | None = None,
) -> Node:
    capacity = {"cpu": cpu, "memory": memory, "pods": pods}
    conditions = (NodeCondition(type="Ready", status=ready, last_transition_time="2026-01-01T00:00:00Z"),)
    return Node(
        metadata=ObjectMeta(name=name, labels=labels or {}),
        spec=NodeSpec(unschedulable=unschedulable),
        status=NodeStatus(capacity=capacity, allocatable=capacity, conditions=conditions),
    )


def pod(
    name: str,
    *,
    node: str = "",
    labels: dict[str, str] | None = None,
    cpu: str = "",
    memory: str = "",
    host_port: int = 0,
    ports: tuple[ContainerPort, ...] = (),
    owner: OwnerReference | None = None,
    scheduler: str = "",
    node_selector: dict[str, str] | None = None,
    phase: str = "",
    ready: bool = False,
    ip: str = "",
) -> Pod:
    requests = {key: value for key, value in (("cpu", cpu), ("memory", memory)) if value}
    if host_port:
        ports = (*ports, ContainerPort(container_port=host_port, host_port=host_port))
    container = Container(name="app", image="app", ports=ports, resources=ResourceRequirements(requests=requests))
    meta = ObjectMeta(
        name=name, namespace="default", labels=labels or {}, owner_references=(owner,) if owner is not None else ()
    )
    spec = PodSpec(containers=(container,), node_name=node, scheduler_name=scheduler, node_selector=node_selector or {})
    status = pod_status(phase=phase, ready=ready, ip=ip) if phase or ready or ip else PodStatus()
    return Pod(metadata=meta, spec=spec, status=status)


def pod_status(*, phase: str = "Running", ready: bool = True, ip: str = "", since: str = "") -> PodStatus:
    condition = PodCondition(
        type="Ready", status="True" if ready else "False", last_transition_time=since or "2026-01-01T00:00:00Z"
    )
    return PodStatus(phase=phase or "Running", pod_ip=ip, conditions=(condition,))


def rc(name: str, *, replicas: int = 1, app: str = "web", min_ready_seconds: int = 0) -> ReplicationController:
    labels = {"app": app}
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=(Container(name="app", image="app"),))
    )
    return ReplicationController(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ReplicationControllerSpec(
            replicas=replicas, selector=labels, template=template, min_ready_seconds=min_ready_seconds
        ),
    )


def rs(name: str, *, replicas: int = 1, app: str = "web", min_ready_seconds: int = 0) -> ReplicaSet:
    made = rc(name, replicas=replicas, app=app, min_ready_seconds=min_ready_seconds)
    assert made.spec.template is not None
    return ReplicaSet(
        metadata=made.metadata,
        spec=ReplicaSetSpec(
            replicas=replicas,
            selector=LabelSelector(match_labels=made.spec.selector),
            template=made.spec.template,
            min_ready_seconds=min_ready_seconds,
        ),
    )


def deployment(name: str, *, replicas: int = 1, image: str = "app:1", app: str = "web", **spec: Any) -> Deployment:
    labels = {"app": app}
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=(Container(name="app", image=image),))
    )
    return Deployment(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=DeploymentSpec(replicas=replicas, selector=LabelSelector(match_labels=labels), template=template, **spec),
    )


def service(name: str, *, ports: tuple[ServicePort, ...] = (), app: str = "web", **spec: Any) -> Service:
    return Service(
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=ServiceSpec(selector={"app": app} if app else {}, ports=ports or (ServicePort(port=80),), **spec),
    )


def seconds_ago(clock: FakeClock, seconds: float) -> str:
    return timestamp(clock.now().fromtimestamp(clock.now().timestamp() - seconds, clock.now().tzinfo))
