"""EndpointSlice (discovery.k8s.io/v1): a part of the addresses of a service's backends."""

from __future__ import annotations

from typing import Any

from msgspec import field

from master.objects.index import LABEL, OWNER
from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import PortIfAny
from master.registry.resource import Resource


class EndpointConditions(Model, frozen=True, kw_only=True):
    """Whether an endpoint gets traffic.

    `ready` (default true): gets new connections; `serving`: is ready, even if it is terminating; `terminating`: is
    being deleted.
    """

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Model, frozen=True, kw_only=True):
    """One backend, usually a pod: its addresses and its node."""

    addresses: tuple[str, ...] = always(())
    conditions: EndpointConditions = field(default_factory=EndpointConditions)
    hostname: str | None = None
    target_ref: ObjectReference | None = None
    deprecated_topology: dict[str, str] = field(default_factory=dict)
    node_name: str | None = None
    zone: str | None = None
    hints: dict[str, Any] | None = None


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


ENDPOINTSLICE = Resource(
    kind="EndpointSlice",
    plural="endpointslices",
    model=EndpointSlice,
    group="discovery.k8s.io",
    has_generation=True,
    indexes=(OWNER, LABEL),
)
