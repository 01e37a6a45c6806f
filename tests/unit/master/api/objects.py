"""Small pods and services for the tests of this folder, and how they are created."""

from __future__ import annotations

from msgspec.structs import replace

from master.api.identity import Caller
from master.api.resources import Resources
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.model import Pod, PodSpec
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.objects.meta import ObjectMeta

SPEC = PodSpec(containers=(Container(name="app", image="nginx"),))


def pod(name: str = "web", *, node: str = "", **meta: object) -> Pod:
    return Pod(metadata=ObjectMeta(name=name, **meta), spec=replace(SPEC, node_name=node))  # type: ignore[arg-type]


def service(name: str, *node_ports: int, **spec: object) -> Service:
    ports = tuple(
        ServicePort(name=f"p{index}", port=80 + index, node_port=port) for index, port in enumerate(node_ports or (0,))
    )
    return Service(metadata=ObjectMeta(name=name), spec=ServiceSpec(ports=ports, **spec))  # type: ignore[arg-type]


async def make(resources: Resources, me: Caller, kind: object, obj: object) -> object:
    return await resources.create(me, kind, obj, namespace="default")  # type: ignore[arg-type, type-var]
