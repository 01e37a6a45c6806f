"""Endpoints: the addresses of a service's backends, in one object."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from master.kinds.addresses import endpoint_address, shortened
from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import Port
from master.registry.resource import Resource
from master.registry.strategy import Keyspace, Strategy
from master.registry.table import AGE, NAME, Cell, Column, Table, age
from master.schema.checks import Findings
from master.schema.schema import Typed


class EndpointAddress(Model, frozen=True, kw_only=True):
    """The address of one backend, its node, and the object that has the address, usually a pod."""

    ip: str = always("")
    hostname: str = ""
    node_name: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(Model, frozen=True, kw_only=True):
    """A port of all addresses of the subset. `protocol` is TCP (default), UDP or SCTP."""

    name: str = ""
    port: Port = always(0)
    protocol: str = ""
    app_protocol: str | None = None


class EndpointSubset(Model, frozen=True, kw_only=True):
    """Addresses with the same ports: each address has each port. Services use `addresses`, not `notReadyAddresses`."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Object, frozen=True, kw_only=True):
    """The addresses of the backends of the service with the same name.

    Maintained by the master for services with a selector. For a service without one, write it yourself.
    """

    subsets: tuple[EndpointSubset, ...] = ()


class EndpointsStrategy(Strategy[Endpoints]):
    """The addresses must be ones to which packets can be sent."""

    def default(self, obj: Endpoints) -> Endpoints:
        subsets = tuple(
            replace(subset, ports=tuple(replace(port, protocol=port.protocol or "TCP") for port in subset.ports))
            for subset in obj.subsets
        )
        return replace(obj, subsets=subsets)

    def check(self, obj: Endpoints, old: Endpoints | None, findings: Findings, keyspace: Keyspace) -> None:
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


def _cells(endpoints: Endpoints, now: datetime) -> Sequence[Cell]:
    addresses = [
        f"{address.ip}:{port.port}"
        for subset in endpoints.subsets
        for port in subset.ports
        for address in subset.addresses
    ]
    return endpoints.metadata.name, shortened(addresses), age(endpoints.metadata.creation_timestamp, now)


ENDPOINTS = Resource(
    kind="Endpoints",
    plural="endpoints",
    schema=Typed(Endpoints),
    short_names=("ep",),
    strategy=EndpointsStrategy(),
    table=Table((NAME, Column("Endpoints", description="The addresses of ready endpoints."), AGE), _cells),
)
