"""Kinds with few rules of their own: namespaces, nodes, endpoints, config maps, secrets, events."""

from __future__ import annotations

import base64
import binascii
import ipaddress
from datetime import datetime
from typing import cast

from msgspec.structs import replace

from master.kinds.core.configmap import ConfigMap
from master.kinds.core.endpoints import Endpoints
from master.kinds.core.event import Event
from master.kinds.core.namespace import Namespace, NamespaceSpec, NamespaceStatus
from master.kinds.core.node import CORDONED_BY_DRAIN, Node
from master.kinds.core.pod.defaults import canonical_quantities
from master.kinds.core.secret import Secret
from master.kinds.discovery.endpointslice import EndpointConditions, EndpointSlice
from master.registry.strategy import Strategy, spec_and_status_apart
from master.schema.checks import Findings, dns_label, dns_subdomain

MAX_DATA_BYTES = 1 << 20
NAMESPACE_FINALIZER = "kubernetes"
NAMESPACE_NAME_LABEL = "kubernetes.io/metadata.name"


class NamespaceStrategy(Strategy[Namespace]):
    """A new namespace is Active. The finalizer `kubernetes` in its spec keeps it until it is empty."""

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
    """The pod CIDR of a node cannot be changed. No two nodes have the same InternalIP."""

    def keys(self, obj: Node) -> frozenset[str]:
        internal = (address.address for address in obj.status.addresses if address.type == "InternalIP")
        return frozenset(f"/unique/nodeaddress/{text}" for text in internal)

    def default(self, obj: Node) -> Node:
        status = obj.status
        capacity = canonical_quantities(status.capacity)
        allocatable = canonical_quantities(status.allocatable) or capacity
        obj = replace(obj, status=replace(status, capacity=capacity, allocatable=allocatable))
        if CORDONED_BY_DRAIN in obj.metadata.annotations and not obj.spec.unschedulable:
            # Uncordoning removes the annotation, so that it does not apply to the next cordon.
            annotations = {key: value for key, value in obj.metadata.annotations.items() if key != CORDONED_BY_DRAIN}
            obj = replace(obj, metadata=replace(obj.metadata, annotations=annotations))
        return obj

    def for_update(self, new: Node, old: Node, subresource: str) -> Node:
        return cast(Node, spec_and_status_apart(new, old, subresource))

    def check(self, obj: Node, old: Node | None, findings: Findings) -> None:
        for index, taint in enumerate(obj.spec.taints):
            effects = ("NoSchedule", "PreferNoSchedule", "NoExecute")
            findings.one_of(f"spec.taints[{index}].effect", taint.effect, effects)
        # All other nodes make routes from the pod CIDR and the address, so both must be valid.
        if obj.spec.pod_cidr:
            try:
                ipaddress.IPv4Network(obj.spec.pod_cidr)
            except ValueError as error:
                findings.invalid("spec.podCIDR", obj.spec.pod_cidr, str(error))
        for index, address in enumerate(obj.status.addresses):
            if address.type == "InternalIP":
                endpoint_address(f"status.addresses[{index}].address", address.address, findings)

    def check_update(self, new: Node, old: Node, findings: Findings) -> None:
        if old.spec.pod_cidr and new.spec.pod_cidr != old.spec.pod_cidr:
            findings.forbidden("spec.podCIDR", 'node updates may not change podCIDR except from "" to valid')


class EndpointsStrategy(Strategy[Endpoints]):
    """The addresses must be ones to which packets can be sent."""

    def default(self, obj: Endpoints) -> Endpoints:
        subsets = tuple(
            replace(subset, ports=tuple(replace(port, protocol=port.protocol or "TCP") for port in subset.ports))
            for subset in obj.subsets
        )
        return replace(obj, subsets=subsets)

    def check(self, obj: Endpoints, old: Endpoints | None, findings: Findings) -> None:
        for index, subset in enumerate(obj.subsets):
            at = f"subsets[{index}]"
            if not subset.addresses and not subset.not_ready_addresses:
                findings.required(at, "must specify `addresses` or `notReadyAddresses`")
            for field, addresses in (
                ("addresses", subset.addresses),
                ("notReadyAddresses", subset.not_ready_addresses),
            ):
                for place, address in enumerate(addresses):
                    endpoint_address(f"{at}.{field}[{place}].ip", address.ip, findings)
            for place, port in enumerate(subset.ports):
                if not port.name and len(subset.ports) > 1:
                    findings.required(f"{at}.ports[{place}].name")


def endpoint_address(at: str, text: str, findings: Findings) -> None:
    """Checks an address to which other hosts send packets.

    Loopback, link-local, multicast and unspecified addresses would direct the traffic to the sending node itself.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        findings.ip(at, text)
        return
    if address.is_loopback or address.is_unspecified or address.is_link_local or address.is_multicast:
        findings.invalid(at, text, "may not be unspecified, loopback, link-local or multicast")


class EndpointSliceStrategy(Strategy[EndpointSlice]):
    """At most 1,000 endpoints, all with addresses of the slice's type."""

    def default(self, obj: EndpointSlice) -> EndpointSlice:
        ports = tuple(replace(p, name=p.name or "", protocol=p.protocol or "TCP") for p in obj.ports)
        endpoints = tuple(
            e if e.conditions.ready is not None else replace(e, conditions=_ready(e.conditions)) for e in obj.endpoints
        )
        return replace(obj, ports=ports, endpoints=endpoints)

    def check(self, obj: EndpointSlice, old: EndpointSlice | None, findings: Findings) -> None:
        if not obj.address_type:
            findings.required("addressType")
        else:
            findings.one_of("addressType", obj.address_type, ("FQDN", "IPv4", "IPv6"))
        if len(obj.endpoints) > 1000:
            findings.invalid("endpoints", len(obj.endpoints), "must have at most 1000 items")
        for index, endpoint in enumerate(obj.endpoints):
            if not endpoint.addresses:
                findings.required(f"endpoints[{index}].addresses", "must contain at least 1 address")
            if obj.address_type in ("IPv4", "IPv6"):
                for place, address in enumerate(endpoint.addresses):
                    endpoint_address(f"endpoints[{index}].addresses[{place}]", address, findings)

    def check_update(self, new: EndpointSlice, old: EndpointSlice, findings: Findings) -> None:
        if new.address_type != old.address_type:
            findings.invalid("addressType", new.address_type, "field is immutable")


def _ready(conditions: EndpointConditions) -> EndpointConditions:
    return replace(conditions, ready=True)


class ConfigMapStrategy(Strategy[ConfigMap]):
    """At most 1 MiB of data. An immutable config map keeps its data."""

    def check(self, obj: ConfigMap, old: ConfigMap | None, findings: Findings) -> None:
        for field, values in (("data", obj.data), ("binaryData", obj.binary_data)):
            for key in values:
                findings.config_key(f"{field}[{key}]", key)
        for key in obj.data.keys() & obj.binary_data.keys():
            findings.invalid(f"binaryData[{key}]", key, f"duplicate of key present in data[{key}]")
        if sum(len(value.encode()) for value in [*obj.data.values(), *obj.binary_data.values()]) > MAX_DATA_BYTES:
            findings.too_long("data", MAX_DATA_BYTES)
        _base64("binaryData", obj.binary_data, findings)

    def check_update(self, new: ConfigMap, old: ConfigMap, findings: Findings) -> None:
        if not old.immutable:
            return
        if not new.immutable:
            findings.forbidden("immutable", "field is immutable when `immutable` is set")
        if (new.data, new.binary_data) != (old.data, old.binary_data):
            findings.forbidden("data", "field is immutable when `immutable` is set")


class SecretStrategy(Strategy[Secret]):
    """stringData is moved to data. Some types require certain keys."""

    def default(self, obj: Secret) -> Secret:
        plain = {key: base64.b64encode(value.encode()).decode() for key, value in obj.string_data.items()}
        return replace(obj, type=obj.type or "Opaque", data={**obj.data, **plain}, string_data={})

    def check(self, obj: Secret, old: Secret | None, findings: Findings) -> None:
        for key in obj.data:
            findings.config_key(f"data[{key}]", key)
        _base64("data", obj.data, findings)
        if sum(len(value) * 3 // 4 for value in obj.data.values()) > MAX_DATA_BYTES:
            findings.too_long("data", MAX_DATA_BYTES)
        required_keys = {
            "kubernetes.io/tls": ("tls.crt", "tls.key"),
            "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
            "kubernetes.io/dockercfg": (".dockercfg",),
            "kubernetes.io/ssh-auth": ("ssh-privatekey",),
        }
        for key in required_keys.get(obj.type, ()):
            if key not in obj.data:
                findings.required(f"data[{key}]")

    def check_update(self, new: Secret, old: Secret, findings: Findings) -> None:
        if new.type != old.type:
            findings.invalid("type", new.type, "field is immutable")
        if old.immutable and new.data != old.data:
            findings.forbidden("data", "field is immutable when `immutable` is set")


def _base64(field: str, values: dict[str, str], findings: Findings) -> None:
    for key, value in values.items():
        try:
            base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            # The message does not contain the value, which may be secret.
            findings.invalid(f"{field}[{key}]", "", "must be base64; plain text goes into stringData")


class EventStrategy(Strategy[Event]):
    """An event is in the namespace of the object that it is about."""

    def name_form(self, name: str) -> str:
        return dns_subdomain(name)

    def check(self, obj: Event, old: Event | None, findings: Findings) -> None:
        about, own = obj.involved_object.namespace, obj.metadata.namespace
        # Events about objects without a namespace are in one of these two.
        if about != own and (about or own not in ("default", "kube-system")):
            findings.invalid("involvedObject.namespace", about, "does not match event.namespace")
