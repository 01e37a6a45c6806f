"""The kinds with little behaviour of their own: namespaces, nodes, endpoints, config maps, secrets, events."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from master.api.checks import Findings, dns_label, dns_subdomain
from master.api.kinds.configmap import ConfigMap
from master.api.kinds.endpoints import Endpoints
from master.api.kinds.endpointslice import EndpointConditions, EndpointSlice
from master.api.kinds.event import Event
from master.api.kinds.namespace import Namespace, NamespaceSpec, NamespaceStatus
from master.api.kinds.node import CORDONED_BY_DRAIN, Node
from master.api.kinds.secret import Secret
from master.api.strategies.base import Strategy, spec_and_status_apart
from master.api.strategies.podspec import canonical_quantities

MAX_DATA_BYTES = 1 << 20
NAMESPACE_FINALIZER = "kubernetes"
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(Strategy[Namespace]):
    """Active at first; `kubernetes` in spec.finalizers holds it until it is empty."""

    def name_form(self, name: str) -> str:
        return dns_label(name)

    def default(self, obj: Namespace) -> Namespace:
        labels = {**obj.metadata.labels, NAMESPACE_NAME_LABEL: obj.metadata.name}
        return replace(obj, metadata=replace(obj.metadata, labels=labels))

    def for_create(self, obj: Namespace, now: datetime) -> Namespace:
        finalizers = obj.spec.finalizers
        if NAMESPACE_FINALIZER not in finalizers:
            finalizers = (*finalizers, NAMESPACE_FINALIZER)
        return replace(obj, spec=NamespaceSpec(finalizers=finalizers), status=NamespaceStatus(phase="Active"))

    def for_update(self, new: Namespace, old: Namespace, subresource: str) -> Namespace:
        if subresource == "finalize":
            return replace(old, spec=new.spec)
        return replace(cast(Namespace, spec_and_status_apart(new, old, subresource)), spec=old.spec)


class NodeStrategy(Strategy[Node]):
    """Its pod CIDR is given once, and its address is no other node's."""

    def keys(self, obj: Node) -> frozenset[str]:
        own = (each.address for each in obj.status.addresses if each.type == "InternalIP")
        return frozenset(f"/unique/nodeaddress/{address}" for address in own)

    def default(self, obj: Node) -> Node:
        status = obj.status
        capacity = canonical_quantities(status.capacity)
        allocatable = canonical_quantities(status.allocatable) or capacity
        obj = replace(obj, status=replace(status, capacity=capacity, allocatable=allocatable))
        if CORDONED_BY_DRAIN in obj.metadata.annotations and not obj.spec.unschedulable:
            # Whoever uncordons the node need not know of it, and the next cordon is another one.
            rest = {key: value for key, value in obj.metadata.annotations.items() if key != CORDONED_BY_DRAIN}
            obj = replace(obj, metadata=replace(obj.metadata, annotations=rest))
        return obj

    def for_update(self, new: Node, old: Node, subresource: str) -> Node:
        return cast(Node, spec_and_status_apart(new, old, subresource))

    def check(self, obj: Node, old: Node | None, found: Findings) -> None:
        for index, taint in enumerate(obj.spec.taints):
            effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
            found.one_of(f"spec.taints[{index}].effect", taint.effect, effects)
        # Every other node makes routes of these: what is none must not get that far.
        if obj.spec.pod_cidr:
            try:
                ipaddress.IPv4Network(obj.spec.pod_cidr)
            except ValueError as error:
                found.invalid("spec.podCIDR", obj.spec.pod_cidr, str(error))
        for index, each in enumerate(obj.status.addresses):
            if each.type == "InternalIP":
                endpoint_address(f"status.addresses[{index}].address", each.address, found)

    def check_update(self, new: Node, old: Node, found: Findings) -> None:
        if old.spec.pod_cidr and new.spec.pod_cidr != old.spec.pod_cidr:
            found.forbidden("spec.podCIDR", 'node updates may not change podCIDR except from "" to valid')


class EndpointsStrategy(Strategy[Endpoints]):
    """Addresses must be addresses that a packet can go to."""

    def default(self, obj: Endpoints) -> Endpoints:
        subsets = tuple(
            replace(subset, ports=tuple(replace(port, protocol=port.protocol or "TCP") for port in subset.ports))
            for subset in obj.subsets
        )
        return replace(obj, subsets=subsets)

    def check(self, obj: Endpoints, old: Endpoints | None, found: Findings) -> None:
        for index, subset in enumerate(obj.subsets):
            at = f"subsets[{index}]"
            if not subset.addresses and not subset.not_ready_addresses:
                found.required(at, "must specify `addresses` or `notReadyAddresses`")
            for field, addresses in (
                ("addresses", subset.addresses),
                ("notReadyAddresses", subset.not_ready_addresses),
            ):
                for place, address in enumerate(addresses):
                    endpoint_address(f"{at}.{field}[{place}].ip", address.ip, found)
            for place, port in enumerate(subset.ports):
                if not port.name and len(subset.ports) > 1:
                    found.required(f"{at}.ports[{place}].name")


def endpoint_address(at: str, text: str, found: Findings) -> None:
    """An address that others send packets to.

    Loopback, link-local and unspecified ones would lead the traffic to a node itself.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        found.ip(at, text)
        return
    if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
        found.invalid(at, text, "may not be unspecified, loopback, link-local or multicast")


class EndpointSliceStrategy(Strategy[EndpointSlice]):
    """At most 1,000 endpoints of one family."""

    def default(self, obj: EndpointSlice) -> EndpointSlice:
        ports = tuple(replace(p, name=p.name or "", protocol=p.protocol or "TCP") for p in obj.ports)
        endpoints = tuple(
            e if e.conditions.ready is not None else replace(e, conditions=_ready(e.conditions)) for e in obj.endpoints
        )
        return replace(obj, ports=ports, endpoints=endpoints)

    def check(self, obj: EndpointSlice, old: EndpointSlice | None, found: Findings) -> None:
        if not obj.address_type:
            found.required("addressType")
        else:
            found.one_of("addressType", obj.address_type, ("FQDN", "IPv4", "IPv6"))
        if len(obj.endpoints) > 1000:
            found.invalid("endpoints", len(obj.endpoints), "must have at most 1000 items")
        for index, endpoint in enumerate(obj.endpoints):
            if not endpoint.addresses:
                found.required(f"endpoints[{index}].addresses", "must contain at least 1 address")
            if obj.address_type in ("IPv4", "IPv6"):
                for place, address in enumerate(endpoint.addresses):
                    endpoint_address(f"endpoints[{index}].addresses[{place}]", address, found)

    def check_update(self, new: EndpointSlice, old: EndpointSlice, found: Findings) -> None:
        if new.address_type != old.address_type:
            found.invalid("addressType", new.address_type, "field is immutable")


def _ready(conditions: EndpointConditions) -> EndpointConditions:
    return replace(conditions, ready=True)


class ConfigMapStrategy(Strategy[ConfigMap]):
    """At most 1 MiB; an immutable one stays as it is."""

    def check(self, obj: ConfigMap, old: ConfigMap | None, found: Findings) -> None:
        for field, values in (("data", obj.data), ("binaryData", obj.binary_data)):
            for key in values:
                found.config_key(f"{field}[{key}]", key)
        for key in obj.data.keys() & obj.binary_data.keys():
            found.invalid(f"binaryData[{key}]", key, f"duplicate of key present in data[{key}]")
        if sum(len(value.encode()) for value in [*obj.data.values(), *obj.binary_data.values()]) > MAX_DATA_BYTES:
            found.too_long("data", MAX_DATA_BYTES)
        _base64("binaryData", obj.binary_data, found)

    def check_update(self, new: ConfigMap, old: ConfigMap, found: Findings) -> None:
        if not old.immutable:
            return
        if not new.immutable:
            found.forbidden("immutable", "field is immutable when `immutable` is set")
        if (new.data, new.binary_data) != (old.data, old.binary_data):
            found.forbidden("data", "field is immutable when `immutable` is set")


class SecretStrategy(Strategy[Secret]):
    """stringData is moved into data; the type says which keys must be there."""

    def default(self, obj: Secret) -> Secret:
        plain = {key: base64.b64encode(value.encode()).decode() for key, value in obj.string_data.items()}
        return replace(obj, type=obj.type or "Opaque", data={**obj.data, **plain}, string_data={})

    def check(self, obj: Secret, old: Secret | None, found: Findings) -> None:
        for key in obj.data:
            found.config_key(f"data[{key}]", key)
        _base64("data", obj.data, found)
        if sum(len(value) * 3 // 4 for value in obj.data.values()) > MAX_DATA_BYTES:
            found.too_long("data", MAX_DATA_BYTES)
        needed = {
            "kubernetes.io/tls": ("tls.crt", "tls.key"),
            "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
            "kubernetes.io/dockercfg": (".dockercfg",),
            "kubernetes.io/ssh-auth": ("ssh-privatekey",),
        }
        for key in needed.get(obj.type, ()):
            if key not in obj.data:
                found.required(f"data[{key}]")

    def check_update(self, new: Secret, old: Secret, found: Findings) -> None:
        if new.type != old.type:
            found.invalid("type", new.type, "field is immutable")
        if old.immutable and new.data != old.data:
            found.forbidden("data", "field is immutable when `immutable` is set")


def _base64(field: str, values: dict[str, str], found: Findings) -> None:
    for key, value in values.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            # The value itself may be a secret: it is not repeated.
            found.invalid(f"{field}[{key}]", "", "must be base64; plain text goes into stringData")


class EventStrategy(Strategy[Event]):
    """Lives in the namespace of what it is about."""

    def name_form(self, name: str) -> str:
        return dns_subdomain(name)

    def check(self, obj: Event, old: Event | None, found: Findings) -> None:
        about, own = obj.involved_object.namespace, obj.metadata.namespace
        # What is about a thing without a namespace lies in one of these two.
        if about != own and (about or own not in ("default", "kube-system")):
            found.invalid("involvedObject.namespace", about, "does not match event.namespace")
