"""The backends of a service: its pods with resolved ports. Pure. Endpoints and EndpointSlices are made of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from master import kinds
from master.component.podstate import AnyPod, StateContainer, is_finished, is_ready, selects
from master.kinds.core.pod.container import Container
from master.kinds.core.pod.sidecars import lasting
from master.kinds.core.service.model import Service, ServicePort
from master.objects.meta import ObjectReference

EXTERNAL_NAME = "ExternalName"
HEADLESS_LABEL = "service.kubernetes.io/headless"


@dataclass(frozen=True, slots=True, order=True)
class BackendPort:
    """A port of the service, resolved for one pod."""

    name: str
    port: int
    protocol: str
    app_protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod of the service. `ready`: receives new connections; `serving`: is ready, though perhaps terminating."""

    ip: str
    uid: str
    namespace: str
    name: str
    node_name: str
    hostname: str
    ports: tuple[BackendPort, ...]
    ready: bool
    serving: bool
    terminating: bool

    @property
    def target_ref(self) -> ObjectReference:
        return ObjectReference(kind=kinds.POD.kind, namespace=self.namespace, name=self.name, uid=self.uid)


def is_ours(service: Service) -> bool:
    """Whether the service's addresses follow from its selector. People write the endpoints of other services."""
    return bool(service.spec.selector) and service.spec.type != EXTERNAL_NAME


def is_headless(service: Service) -> bool:
    return service.spec.cluster_ip == "None"


def backends(service: Service, pods: Iterable[AnyPod]) -> list[Backend]:
    """The pods that the service selects and that have an address, sorted by address.

    `pods` are those of the service's namespace. A pod that has none of the service's ports is left out.
    """
    candidates = [_backend(service, pod) for pod in pods if _is_backend(service, pod)]
    with_ports = (backend for backend in candidates if backend.ports or not service.spec.ports)
    return sorted(with_ports, key=lambda backend: (backend.ip, backend.uid))


def _is_backend(service: Service, pod: AnyPod) -> bool:
    return bool(pod.status.pod_ip) and not is_finished(pod) and selects(service.spec.selector, pod.metadata.labels)


def _backend(service: Service, pod: AnyPod) -> Backend:
    serving = is_ready(pod) or service.spec.publish_not_ready_addresses
    terminating = bool(pod.metadata.deletion_timestamp)
    in_domain = bool(pod.spec.hostname) and pod.spec.subdomain == service.metadata.name
    return Backend(
        ip=pod.status.pod_ip,
        uid=pod.metadata.uid,
        namespace=pod.metadata.namespace,
        name=pod.metadata.name,
        node_name=pod.spec.node_name,
        hostname=pod.spec.hostname if in_domain else "",
        ports=tuple(sorted(_ports(service, pod))),
        ready=serving and (not terminating or service.spec.publish_not_ready_addresses),
        serving=serving,
        terminating=terminating,
    )


def _ports(service: Service, pod: AnyPod) -> Iterable[BackendPort]:
    for port in service.spec.ports:
        number = resolve(port, pod)
        if number is not None:
            yield BackendPort(port.name, number, port.protocol or "TCP", port.app_protocol)


def resolve(port: ServicePort, pod: AnyPod) -> int | None:
    """The pod's port number for a service port; None when the pod has no port of that name and protocol."""
    target = port.target_port
    if isinstance(target, str) and not target.isdigit():
        containers: Iterable[Container | StateContainer] = lasting(pod.spec)
        for container in containers:
            for own in container.ports:
                if own.name == target and (own.protocol or "TCP") == (port.protocol or "TCP"):
                    return own.container_port
        return None
    return int(target) if target else port.port
