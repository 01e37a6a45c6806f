"""EndpointSlice (discovery.k8s.io/v1): a part of the addresses behind a service."""

from __future__ import annotations

from typing import Any

from msgspec import field

from master.objects.kind import KindSpec
from master.objects.meta import Model, Object, ObjectReference, always
from master.objects.scalars import PortIfAny


class EndpointConditions(Model, frozen=True, kw_only=True):
    """Whether traffic goes to an endpoint."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Model, frozen=True, kw_only=True):
    """One endpoint: the addresses of one pod."""

    addresses: tuple[str, ...] = always(())
    conditions: EndpointConditions = field(default_factory=EndpointConditions)
    hostname: str | None = None
    target_ref: ObjectReference | None = None
    deprecated_topology: dict[str, str] = field(default_factory=dict)
    node_name: str | None = None
    zone: str | None = None
    hints: dict[str, Any] | None = None


class EndpointSlicePort(Model, frozen=True, kw_only=True):
    """One port of all endpoints of the slice."""

    name: str | None = None
    protocol: str | None = None
    port: PortIfAny | None = None
    app_protocol: str | None = None


class EndpointSlice(Object, frozen=True, kw_only=True):
    """A part of the addresses behind the service that its label kubernetes.io/service-name names."""

    address_type: str = always("")
    endpoints: tuple[Endpoint, ...] = always(())
    ports: tuple[EndpointSlicePort, ...] = always(())


ENDPOINTSLICE = KindSpec(
    kind="EndpointSlice", plural="endpointslices", model=EndpointSlice, group="discovery.k8s.io", has_generation=True
)
