"""EndpointSlice (discovery.k8s.io/v1): a part of the addresses of a service's backends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from msgspec import field
from msgspec.structs import replace

from master.kinds.addresses import endpoint_address, shortened
from master.kinds.legacy.endpointslice import ENDPOINTSLICE_V1BETA1
from master.objects.index import LABEL, OWNER
from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import PortIfAny, Required, inert
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed


class EndpointConditions(Model, frozen=True, kw_only=True):
    """Whether an endpoint gets traffic.

    `ready`: gets new connections (a missing value counts as true); `serving`: is ready, even if it is terminating;
    `terminating`: is being deleted.
    """

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class ForZone(Model, frozen=True, kw_only=True):
    """A zone whose clients should use the endpoint."""

    name: Required = always("")


class ForNode(Model, frozen=True, kw_only=True):
    """A node whose clients should use the endpoint."""

    name: Required = always("")


class EndpointHints(Model, frozen=True, kw_only=True):
    """The zones and nodes whose clients should use the endpoint."""

    for_zones: tuple[ForZone, ...] = ()
    for_nodes: tuple[ForNode, ...] = ()


class Endpoint(Model, frozen=True, kw_only=True):
    """One backend, usually a pod: its addresses and its node."""

    addresses: tuple[str, ...] = always(())
    conditions: EndpointConditions = field(default_factory=EndpointConditions)
    hostname: str | None = None
    target_ref: ObjectReference | None = None
    deprecated_topology: dict[str, str] = field(default_factory=dict)
    node_name: str | None = None
    zone: str | None = None
    hints: Annotated[EndpointHints, inert("clients in these zones and nodes would use the endpoint")] | None = None


class EndpointSlicePort(Model, frozen=True, kw_only=True):
    """A port of all endpoints of the slice. `protocol` is TCP (default), UDP or SCTP."""

    name: str | None = None
    protocol: str | None = None
    port: PortIfAny | None = None
    app_protocol: str | None = None


class EndpointSlice(Object, frozen=True, kw_only=True):
    """Up to 1,000 backends of a service. The label kubernetes.io/service-name has the service's name.

    `addressType` is IPv4, IPv6 or FQDN and cannot be changed.
    """

    address_type: str = always("")
    endpoints: tuple[Endpoint, ...] = always(())
    ports: tuple[EndpointSlicePort, ...] = always(())


class EndpointSliceStrategy(Strategy[EndpointSlice]):
    """At most 1,000 endpoints, all with addresses of the slice's type."""

    def default(self, obj: EndpointSlice) -> EndpointSlice:
        ports = tuple(replace(p, name=p.name or "", protocol=p.protocol or "TCP") for p in obj.ports)
        return replace(obj, ports=ports)

    def check(self, obj: EndpointSlice, old: EndpointSlice | None, findings: Findings, keyspace: Keyspace) -> None:
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


def _cells(part: EndpointSlice, now: datetime) -> Sequence[Cell]:
    ports = [str(port.port) for port in part.ports if port.port is not None]
    addresses = [address for endpoint in part.endpoints for address in endpoint.addresses]
    return (
        part.metadata.name,
        part.address_type,
        shortened(ports) if ports else "<unset>",
        shortened(addresses) if addresses else "<unset>",
        age(part.metadata.creation_timestamp, now),
    )


ENDPOINTSLICE = Resource(
    kind="EndpointSlice",
    plural="endpointslices",
    group="discovery.k8s.io",
    schema=Typed(EndpointSlice),
    served=(ENDPOINTSLICE_V1BETA1,),
    strategy=EndpointSliceStrategy(),
    table=Table(
        (
            NAME,
            Column("AddressType", description="IPv4, IPv6 or FQDN."),
            Column("Ports", description="The ports of all endpoints."),
            Column("Endpoints", description="The addresses of the endpoints."),
            AGE,
        ),
        _cells,
    ),
    has_generation=True,
    indexes=(OWNER, LABEL),
)
