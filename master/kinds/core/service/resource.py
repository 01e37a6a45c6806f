"""The resource `services`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from master.kinds.core.service.model import Service
from master.kinds.core.service.strategy import ServiceStrategy
from master.kinds.legacy.manifests import SERVICE_V1BETA1
from master.objects.index import OWNER, SELECTOR
from master.registry.deletion import DeletionPolicy
from master.registry.resource import Resource
from master.registry.subresource import STATUS, Proxy, Served
from master.registry.table import AGE, NAME, Cell, Column, Table, age, pairs
from master.schema.schema import Typed


class ServiceDeletion(DeletionPolicy[Service]):
    """The response is the service, as in Kubernetes."""

    answers_with_object = True


def _cells(service: Service, now: datetime) -> Sequence[Cell]:
    spec = service.spec
    external = ",".join([*(i.ip or i.hostname for i in service.status.load_balancer.ingress), *spec.external_ips])
    if not external:
        external = {"ExternalName": spec.external_name, "LoadBalancer": "<pending>"}.get(spec.type, "<none>")
    ports = ",".join(
        f"{port.port}:{port.node_port}/{port.protocol}" if port.node_port else f"{port.port}/{port.protocol}"
        for port in spec.ports
    )
    return (
        service.metadata.name,
        spec.type,
        spec.cluster_ip or "<none>",
        external,
        ports or "<none>",
        age(service.metadata.creation_timestamp, now),
        pairs(spec.selector),
    )


_TABLE = Table(
    (
        NAME,
        Column("Type", description="ClusterIP, NodePort, LoadBalancer or ExternalName."),
        Column("Cluster-IP", description="The service's address inside the cluster."),
        Column("External-IP", description="The service's addresses outside the cluster."),
        Column("Port(s)", description="The service's ports, with node ports."),
        AGE,
        Column("Selector", priority=1, description="The labels of the service's pods."),
    ),
    _cells,
)

SERVICE = Resource(
    kind="Service",
    plural="services",
    schema=Typed(Service),
    served=(SERVICE_V1BETA1,),
    short_names=("svc",),
    categories=("all",),
    subresources=(STATUS, Proxy("proxy", served=Served("ServiceProxyOptions"))),
    strategy=ServiceStrategy(),
    deletion=ServiceDeletion(),
    table=_TABLE,
    fields={"spec.clusterIP": lambda svc: svc.spec.cluster_ip, "spec.type": lambda svc: svc.spec.type},
    hot=True,
    indexes=(OWNER, SELECTOR),
)
