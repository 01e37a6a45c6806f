"""Objects that every cluster has from the start: the system namespaces, the services `kubernetes` and `kube-dns`, and
the range of services.

Creates them when the master starts, and updates them when the master's address has changed. Does not restore them while
the master runs.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
from typing import TypeVar

from msgspec.structs import replace

from master.api.errors import AlreadyExists, Invalid
from master.api.identity import component
from master.api.resources import Resources
from master.config import MasterConfig
from master.kinds import ENDPOINTS, ENDPOINTSLICE, NAMESPACE, SERVICE, SERVICECIDR
from master.kinds.core.endpoints import EndpointAddress, EndpointPort, Endpoints, EndpointSubset
from master.kinds.core.namespace import Namespace
from master.kinds.core.service.model import Service, ServicePort, ServiceSpec
from master.kinds.discovery.endpointslice import Endpoint, EndpointConditions, EndpointSlice, EndpointSlicePort
from master.objects.meta import Object, ObjectMeta, timestamp
from master.registry.resource import Resource
from master.registry.untyped import with_status
from master.schema.data import Untyped
from proto import contract

SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")
NAME = "kubernetes"
_CALLER = component("apiserver")
_LABELS = {"component": "apiserver", "provider": "kubernetes"}
DNS_NAMESPACE, DNS_NAME = contract.DNS_SERVICE
_DNS_LABELS = {"k8s-app": DNS_NAME}
T = TypeVar("T", bound=Object)
log = logging.getLogger(__name__)


async def ensure(resources: Resources, config: MasterConfig, *, port: int | None = None) -> None:
    """Creates missing objects and updates those that differ. `port`: the API's actual port, if configured as 0."""
    port = port or config.api_port
    for name in SYSTEM_NAMESPACES:
        await _ensure(resources, NAMESPACE, Namespace(metadata=ObjectMeta(name=name)))
    first = str(ipaddress.IPv4Network(config.service_cidr)[1])
    await _ensure(resources, SERVICE, _service(first, port))
    await _ensure_dns(resources, config.service_cidr)
    await _ensure_range(resources, config.service_cidr)
    address = advertised_ip(config)
    if address is None:
        log.warning("service default/kubernetes: no endpoints, as advertise_addresses has no IP address")
        return
    await _ensure(resources, ENDPOINTS, _endpoints(address, port))
    await _ensure(resources, ENDPOINTSLICE, _slice(address, port))


def advertised_ip(config: MasterConfig) -> str | None:
    """The first IPv4 address of the master that pods can reach, so not a loopback address. None if there is none."""
    for text in (*config.advertise_addresses, config.address):
        with contextlib.suppress(ValueError):
            address = ipaddress.IPv4Address(text)
            if not address.is_loopback and not address.is_unspecified:
                return text
    return None


async def _ensure(resources: Resources, kind: Resource[T], desired: T) -> None:
    meta = desired.metadata
    current = resources.cache.get(kind, meta.namespace, meta.name)
    if current is None:
        with contextlib.suppress(AlreadyExists):
            await resources.create(_CALLER, kind, desired, namespace=meta.namespace)
        return
    if kind is NAMESPACE:
        return

    def repaired(old: T) -> T:
        labels = {**old.metadata.labels, **meta.labels}
        return replace(desired, metadata=replace(old.metadata, labels=labels))

    await resources.mutate(_CALLER, kind, meta.namespace, meta.name, repaired)


async def _ensure_dns(resources: Resources, network: str) -> None:
    """The service that holds the address of cluster DNS. An existing one stays: people may serve it by pods of theirs.

    Without endpoints, each node answers at this address itself. If another service has it, the cluster has no DNS.
    """
    address = contract.dns_address(network)
    if not address or resources.cache.get(SERVICE, DNS_NAMESPACE, DNS_NAME) is not None:
        return
    ports = (
        ServicePort(name="dns", port=53, protocol="UDP", target_port=53),
        ServicePort(name="dns-tcp", port=53, protocol="TCP", target_port=53),
    )
    service = Service(
        metadata=ObjectMeta(name=DNS_NAME, namespace=DNS_NAMESPACE, labels=_DNS_LABELS),
        spec=ServiceSpec(cluster_ip=address, ports=ports),
    )
    try:
        await resources.create(_CALLER, SERVICE, service, namespace=DNS_NAMESPACE)
    except AlreadyExists:
        return
    except Invalid as error:
        log.warning("service %s/%s: pods have no cluster DNS: %s", DNS_NAMESPACE, DNS_NAME, error)


async def _ensure_range(resources: Resources, network: str) -> None:
    """The ServiceCIDR that says which addresses services get. An existing one stays, as its range cannot change."""
    if resources.cache.get(SERVICECIDR, "", NAME) is not None:
        return
    new = Untyped(metadata=ObjectMeta(name=NAME), content={"spec": {"cidrs": [network]}})
    ready = {
        "type": "Ready",
        "status": "True",
        "reason": "Configured",
        "message": "services get their addresses from this range",
        "lastTransitionTime": timestamp(resources.clock.now()),
    }
    with contextlib.suppress(AlreadyExists):
        made = await resources.create(_CALLER, SERVICECIDR, new)
        changed = with_status(made, {"conditions": [ready]})
        await resources.update(_CALLER, SERVICECIDR, changed, subresource="status")


def _service(cluster_ip: str, port: int) -> Service:
    ports = (ServicePort(name="https", port=443, target_port=port),)
    return Service(
        metadata=ObjectMeta(name=NAME, namespace="default", labels=_LABELS),
        spec=ServiceSpec(cluster_ip=cluster_ip, ports=ports),
    )


def _endpoints(address: str, port: int) -> Endpoints:
    subset = EndpointSubset(addresses=(EndpointAddress(ip=address),), ports=(EndpointPort(name="https", port=port),))
    # The endpoint controllers ignore objects with this label.
    labels = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    return Endpoints(metadata=ObjectMeta(name=NAME, namespace="default", labels=labels), subsets=(subset,))


def _slice(address: str, port: int) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=NAME, namespace="default", labels={"kubernetes.io/service-name": NAME}),
        address_type="IPv4",
        endpoints=(Endpoint(addresses=(address,), conditions=EndpointConditions(ready=True)),),
        ports=(EndpointSlicePort(name="https", port=port),),
    )
