"""Endpoints: the addresses of a service's backends, in one object."""

from __future__ import annotations

from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import Port
from master.registry.resource import Resource


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


ENDPOINTS = Resource(kind="Endpoints", plural="endpoints", model=Endpoints, short_names=("ep",))
