"""Opens a TCP connection to a port of a pod: to its address, or to the loopback address inside of it.

Owns the choice of the address and of the network namespace.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from ipaddress import IPv4Address, ip_address

from agent.connections import LOOPBACKS, Connection, Place, connected
from agent.model import ConnectionRequest, Pod
from agent.pods.errors import NoConnection
from agent.pods.observed import Observed


def open_connection(
    pod: Pod, observed: Observed, request: ConnectionRequest
) -> AbstractAsyncContextManager[Connection]:
    """The connection, which is made on entering. Raises NoConnection unless the pod's network is there.

    A pod with the host's network has its ports on the host.
    """
    sandbox = observed.live_sandbox
    if sandbox is None or not sandbox.running or not observed.address:
        raise NoConnection(f'the network of pod "{pod.namespace}/{pod.name}" is not ready: its sandbox does not run')
    if request.by_pod_address:
        return connected([ip_address(observed.address)], request.port)
    if pod.host_network:
        return connected(LOOPBACKS, request.port)
    if not sandbox.attachable:
        raise NoConnection(f'the network of pod "{pod.namespace}/{pod.name}" is not known yet; try again')
    return connected(LOOPBACKS, request.port, Place(sandbox.record.pid, IPv4Address(observed.address)))
