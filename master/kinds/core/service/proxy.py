"""The subresource `proxy` of services: requests to one of the pods behind a service, chosen at random.

Rules and messages are those of kube-apiserver (pkg/registry/core/service/storage). As there, only endpoints that are
pods count: nobody can make the API server connect to an address that he has written into an EndpointSlice.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from aiohttp import web

from master.api.errors import NotFound, Unavailable
from master.api.remote.proxytargets import ProxyTarget, target_of
from master.api.rest.call import Call
from master.cache import Cache
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.proxy import ProxyToPods
from master.kinds.core.pod.resource import POD
from master.kinds.core.service.resource import SERVICE
from master.kinds.discovery.endpointslice import ENDPOINTSLICE, Endpoint, EndpointSlice
from master.objects.index import LABEL, label_value

_SERVICE_LABEL = "kubernetes.io/service-name"


class ServiceProxy:
    """Serves `/api/v1/namespaces/NS/services/[SCHEME:]NAME[:PORT]/proxy`; the port is a number or a name."""

    def __init__(self, cache: Cache, pods: ProxyToPods) -> None:
        self._cache = cache
        self._pods = pods

    async def pass_on(self, call: Call) -> web.StreamResponse:
        """Raises Unavailable if no ready endpoint is a pod."""
        target, namespace = target_of(call), call.route.namespace
        pod, port = self._endpoint(namespace, target.name, self._port_name(namespace, target))
        return await self._pods.send(call, pod, target, port)

    def _port_name(self, namespace: str, target: ProxyTarget) -> str:
        """The name of the service's port, which its endpoints have too; a number stands for the port that has it."""
        if not (target.port.isascii() and target.port.isdigit()):
            return target.port
        service = self._cache.get(SERVICE, namespace, target.name)
        if service is None:
            raise NotFound.of(SERVICE, target.name)
        for port in service.spec.ports:
            if str(port.port) == target.port.lstrip("0"):
                return port.name
        raise Unavailable(f'no service port {target.port} found for service "{target.name}"')

    def _endpoint(self, namespace: str, service: str, port_name: str) -> tuple[Pod, int]:
        entries = self._cache.by(ENDPOINTSLICE, LABEL, label_value(_SERVICE_LABEL, service), namespace)
        ready = [found for entry in entries for found in _ready(entry.obj, port_name)]
        random.shuffle(ready)
        for endpoint, port in ready:
            if (pod := self._pod(namespace, endpoint)) is not None:
                return pod, port
        why = ": no ready endpoint is a pod of this namespace" if ready else ""
        raise Unavailable(f'no endpoints available for service "{service}"{why}')

    def _pod(self, namespace: str, endpoint: Endpoint) -> Pod | None:
        """The pod that is the endpoint, if it has the endpoint's address."""
        ref = endpoint.target_ref
        if ref is None or ref.kind != POD.kind or ref.namespace != namespace:
            return None
        pod = self._cache.get(POD, namespace, ref.name)
        return pod if pod is not None and pod.status.pod_ip == endpoint.addresses[0] else None


def _ready(found: EndpointSlice, port_name: str) -> Iterator[tuple[Endpoint, int]]:
    for port in found.ports:
        if (port.name or "") == port_name and port.port:
            for endpoint in found.endpoints:
                if endpoint.addresses and endpoint.conditions.ready is not False:
                    yield endpoint, port.port
