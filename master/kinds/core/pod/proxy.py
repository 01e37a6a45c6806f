"""The subresource `proxy` of pods: requests to a port of the pod, at the pod's address, by way of its node.

Rules and messages are those of kube-apiserver (pkg/registry/core/pod). The master needs no route to pods.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from ipaddress import ip_address

from aiohttp import web

from master.api.errors import ApiError, BadRequest, NotFound, TooManyRequests, Unavailable
from master.api.remote.httpproxy import Place, redirection, relay
from master.api.remote.proxytargets import ProxyTarget, port_number, target_of
from master.api.rest.call import Call
from master.cache import Cache
from master.kinds.core.pod.connections import Connections, PodPort
from master.kinds.core.pod.model import Pod
from master.kinds.core.pod.resource import POD


class ProxyToPods:
    """Passes requests on to pods."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def send(self, call: Call, pod: Pod, target: ProxyTarget, port: int) -> web.StreamResponse:
        """The response of the pod. Raises BadRequest, TooManyRequests, Unavailable."""
        address = pod.status.pod_ip
        if not _is_proxied(address):
            raise BadRequest("address not allowed")
        place = Place(target.scheme or "http", f"{address}:{port}", target.path, target.prefix)
        if (moved := redirection(call.http, place)) is not None:
            return moved
        to = PodPort.of(pod, port)
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._connections.open(to, by_pod_address=True))
            except TooManyRequests:
                raise
            except ApiError as error:
                raise Unavailable(f"error trying to reach service: {error.message}") from error
            return await relay(call.http, connection, place)


class PodProxy:
    """Serves `/api/v1/namespaces/NS/pods/[SCHEME:]NAME[:PORT]/proxy`."""

    def __init__(self, cache: Cache, pods: ProxyToPods) -> None:
        self._cache = cache
        self._pods = pods

    async def pass_on(self, call: Call) -> web.StreamResponse:
        """Without a port, to the first port that a container of the pod declares."""
        target = target_of(call)
        pod = self._cache.get(POD, call.route.namespace, target.name)
        if pod is None:
            raise NotFound.of(POD, target.name)
        return await self._pods.send(call, pod, target, _port(pod, target))


def _port(pod: Pod, target: ProxyTarget) -> int:
    if target.port:
        return port_number(target.port)
    declared = (container.ports[0].container_port for container in pod.spec.containers if container.ports)
    return next(declared, 443 if target.scheme == "https" else 80)


def _is_proxied(text: str) -> bool:
    """Whether a pod may have this address; no proxy leads to a loopback address."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_multicast or address.is_link_local or address.is_unspecified)
