"""Endpoints: the addresses behind a service, in one object."""

from __future__ import annotations

from master.objects.kind import KindSpec
from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import Port


class EndpointAddress(Model, frozen=True, kw_only=True):
    """One address and what stands behind it."""

    ip: str = always("")
    hostname: str = ""
    node_name: str | None = None
    target_ref: ObjectReference | None = None


class EndpointPort(Model, frozen=True, kw_only=True):
    """One port of the addresses."""

    name: str = ""
    port: Port = always(0)
    protocol: str = ""
    app_protocol: str | None = None


class EndpointSubset(Model, frozen=True, kw_only=True):
    """Addresses that share ports: every address with every port."""

    addresses: tuple[EndpointAddress, ...] = ()
    not_ready_addresses: tuple[EndpointAddress, ...] = ()
    ports: tuple[EndpointPort, ...] = ()


class Endpoints(Object, frozen=True, kw_only=True):
    """The addresses behind the service of the same name."""

    subsets: tuple[EndpointSubset, ...] = ()


ENDPOINTS = KindSpec(kind="Endpoints", plural="endpoints", model=Endpoints, short_names=("ep",))
