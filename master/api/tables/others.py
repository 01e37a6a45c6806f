"""The tables of the other kinds."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.event import Event
from master.kinds.core.namespace import Namespace
from master.kinds.core.replicationcontroller import ReplicationController
from master.kinds.core.secret import Secret
from master.kinds.core.service.model import Service
from master.kinds.discovery.endpointslice import EndpointSlice
from master.objects.meta import Object
from master.registry.table import AGE, NAME, Cell, Column, Table, age, pairs


def _plain(obj: Object, now: datetime) -> Sequence[Cell]:
    return obj.metadata.name, age(obj.metadata.creation_timestamp, now)


PLAIN = Table((NAME, AGE), _plain)


def _service(service: Service, now: datetime) -> Sequence[Cell]:
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


SERVICES = Table(
    (
        NAME,
        Column("Type", description="ClusterIP, NodePort, LoadBalancer or ExternalName."),
        Column("Cluster-IP", description="The service's address inside the cluster."),
        Column("External-IP", description="The service's addresses outside the cluster."),
        Column("Port(s)", description="The service's ports, with node ports."),
        AGE,
        Column("Selector", priority=1, description="The labels of the service's pods."),
    ),
    _service,
)


def _controller(controller: ReplicationController, now: datetime) -> Sequence[Cell]:
    containers = controller.spec.template.spec.containers if controller.spec.template else ()
    return (
        controller.metadata.name,
        controller.spec.replicas or 0,
        controller.status.replicas,
        controller.status.ready_replicas,
        age(controller.metadata.creation_timestamp, now),
        ",".join(container.name for container in containers),
        ",".join(container.image for container in containers),
        pairs(controller.spec.selector),
    )


REPLICATIONCONTROLLERS = Table(
    (
        NAME,
        Column("Desired", type="integer", description="The desired number of pods."),
        Column("Current", type="integer", description="The number of pods."),
        Column("Ready", type="integer", description="The number of ready pods."),
        AGE,
        Column("Containers", priority=1, description="The containers of the template."),
        Column("Images", priority=1, description="The images of the containers."),
        Column("Selector", priority=1, description="The labels of the pods that count."),
    ),
    _controller,
)
_SHOWN = 3


def _shortened(addresses: list[str]) -> str:
    if not addresses:
        return "<none>"
    more = len(addresses) - _SHOWN
    return ",".join(addresses[:_SHOWN]) + (f" + {more} more..." if more > 0 else "")


def _endpoints(endpoints: Endpoints, now: datetime) -> Sequence[Cell]:
    addresses = [
        f"{address.ip}:{port.port}"
        for subset in endpoints.subsets
        for port in subset.ports
        for address in subset.addresses
    ]
    return endpoints.metadata.name, _shortened(addresses), age(endpoints.metadata.creation_timestamp, now)


ENDPOINTS = Table((NAME, Column("Endpoints", description="The addresses of ready endpoints."), AGE), _endpoints)


def _slice(part: EndpointSlice, now: datetime) -> Sequence[Cell]:
    ports = [str(port.port) for port in part.ports if port.port is not None]
    addresses = [address for endpoint in part.endpoints for address in endpoint.addresses]
    return (
        part.metadata.name,
        part.address_type,
        _shortened(ports) if ports else "<unset>",
        _shortened(addresses) if addresses else "<unset>",
        age(part.metadata.creation_timestamp, now),
    )


ENDPOINTSLICES = Table(
    (
        NAME,
        Column("AddressType", description="IPv4, IPv6 or FQDN."),
        Column("Ports", description="The ports of all endpoints."),
        Column("Endpoints", description="The addresses of the endpoints."),
        AGE,
    ),
    _slice,
)


def _event(event: Event, now: datetime) -> Sequence[Cell]:
    about = event.involved_object
    first = event.first_timestamp or event.event_time or event.metadata.creation_timestamp
    last = (event.series.last_observed_time if event.series else "") or event.last_timestamp or first
    source = event.source.component or event.reporting_component
    return (
        age(last, now),
        event.type,
        event.reason,
        f"{about.kind.lower()}/{about.name}" if about.name else about.kind.lower(),
        about.field_path,
        ", ".join(part for part in (source, event.source.host or event.reporting_instance) if part),
        event.message.strip(),
        age(first, now),
        (event.series.count if event.series else 0) or event.count or 1,
        event.metadata.name,
    )


EVENTS = Table(
    (
        Column("Last Seen", description="Time since the event happened last."),
        Column("Type", description="Normal or Warning."),
        Column("Reason", description="What happened, in one word."),
        Column("Object", description="The object to which it happened."),
        Column("Subobject", priority=1, description="The part of the object to which it happened."),
        Column("Source", priority=1, description="The component that reported the event."),
        Column("Message", description="What happened, for people."),
        Column("First Seen", priority=1, description="Time since the event happened first."),
        Column("Count", type="integer", priority=1, description="How often the event happened."),
        Column("Name", priority=1, format="name", description="The name of the event itself."),
    ),
    _event,
)


def _namespace(namespace: Namespace, now: datetime) -> Sequence[Cell]:
    meta = namespace.metadata
    return meta.name, namespace.status.phase, age(meta.creation_timestamp, now)


NAMESPACES = Table((NAME, Column("Status", description="Active or Terminating."), AGE), _namespace)


def _configmap(configmap: ConfigMap, now: datetime) -> Sequence[Cell]:
    size = len(configmap.data) + len(configmap.binary_data)
    return configmap.metadata.name, size, age(configmap.metadata.creation_timestamp, now)


CONFIGMAPS = Table((NAME, Column("Data", type="integer", description="The number of keys."), AGE), _configmap)


def _secret(secret: Secret, now: datetime) -> Sequence[Cell]:
    meta = secret.metadata
    return meta.name, secret.type, len(secret.data), age(meta.creation_timestamp, now)


SECRETS = Table(
    (
        NAME,
        Column("Type", description="The purpose of the secret."),
        Column("Data", type="integer", description="The number of keys."),
        AGE,
    ),
    _secret,
)
