"""Opens a TCP connection to a port of a pod: to its address, or to the loopback address inside of it.

Owns the choice of the address and of the network namespace.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from ipaddress import IPv4Address, ip_address

from agent.connections import LOOPBACKS, Address, Connection, Place, connected
from agent.model import ConnectionRequest, Pod
from agent.pods.errors import NoConnection
from agent.pods.observed import Observed


@dataclass(frozen=True, slots=True)
class Way:
    """The addresses to try, and the network namespace from which; None: the host's."""

    addresses: tuple[Address, ...]
    place: Place | None = None


def open_connection(
    pod: Pod, observed: Observed, request: ConnectionRequest
) -> AbstractAsyncContextManager[Connection]:
    """The connection, which is made on entering. Raises NoConnection unless the pod's network is there."""
    way = way_to(pod, observed, by_pod_address=request.by_pod_address)
    return connected(way.addresses, request.port, way.place)


def way_to(pod: Pod, observed: Observed, *, by_pod_address: bool) -> Way:
    """Where the pod's ports are. Those of a pod with the host's network are on the host. Raises NoConnection."""
    sandbox = observed.live_sandbox
    if sandbox is None or not sandbox.running or not observed.address:
        raise NoConnection(f'the network of pod "{pod.namespace}/{pod.name}" is not ready: its sandbox does not run')
    if by_pod_address:
        return Way((ip_address(observed.address),))
    if pod.host_network:
        return Way(LOOPBACKS)
    if not sandbox.attachable:
        raise NoConnection(f'the network of pod "{pod.namespace}/{pod.name}" is not known yet; try again')
    return Way(LOOPBACKS, Place(sandbox.record.pid, IPv4Address(observed.address)))
