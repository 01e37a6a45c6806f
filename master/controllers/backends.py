"""The pods behind a service, with their ports resolved. Pure; Endpoints and EndpointSlices are two forms of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from master.api import kinds
from master.api.kinds.pod import Pod
from master.api.kinds.service import Service, ServicePort
from master.component.podstate import is_finished, is_ready, selects
from master.objects.meta import ObjectReference

EXTERNAL_NAME = "ExternalName"
HEADLESS_LABEL = "service.kubernetes.io/headless"


@dataclass(frozen=True, slots=True, order=True)
class BackendPort:
    """One port of a service as this pod has it."""

    name: str
    port: int
    protocol: str
    app_protocol: str | None = None


@dataclass(frozen=True, slots=True)
class Backend:
    """One pod behind a service. `ready`: gets new traffic; `serving`: is ready, be it on its way out."""

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
    """Whether the service's addresses are found by its selector; others write them by hand."""
    return bool(service.spec.selector) and service.spec.type != EXTERNAL_NAME


def is_headless(service: Service) -> bool:
    return service.spec.cluster_ip == "None"


def backends(service: Service, pods: Iterable[Pod]) -> list[Backend]:
    """The pods of the service's namespace that it selects and that have an address, in the order of addresses."""
    found = [_backend(service, pod) for pod in pods if _stands_behind(service, pod)]
    return sorted((one for one in found if one.ports or not service.spec.ports), key=lambda one: (one.ip, one.uid))


def _stands_behind(service: Service, pod: Pod) -> bool:
    return bool(pod.status.pod_ip) and not is_finished(pod) and selects(service.spec.selector, pod.metadata.labels)


def _backend(service: Service, pod: Pod) -> Backend:
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


def _ports(service: Service, pod: Pod) -> Iterable[BackendPort]:
    for port in service.spec.ports:
        number = resolve(port, pod)
        if number is not None:
            yield BackendPort(port.name, number, port.protocol or "TCP", port.app_protocol)


def resolve(port: ServicePort, pod: Pod) -> int | None:
    """The pod's port that a service port leads to; None when the pod has no port of that name and protocol."""
    target = port.target_port
    if isinstance(target, str) and not target.isdigit():
        for container in pod.spec.containers:
            for own in container.ports:
                if own.name == target and (own.protocol or "TCP") == (port.protocol or "TCP"):
                    return own.container_port
        return None
    return int(target) if target else port.port
