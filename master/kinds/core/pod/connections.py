"""The interface to TCP connections to pods, which their nodes make. Implemented by master/dispatch."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from master.api.remote.tcp import TcpConnection
from master.kinds.core.pod.model import Pod


@dataclass(frozen=True, slots=True)
class PodPort:
    """A TCP port of a pod, and the node of the pod."""

    node: str
    namespace: str
    pod: str
    uid: str
    port: int

    @classmethod
    def of(cls, pod: Pod, port: int) -> PodPort:
        """A port of this pod."""
        meta = pod.metadata
        return cls(pod.spec.node_name, meta.namespace, meta.name, meta.uid, port)


class Connections(Protocol):
    """Opens connections to pods."""

    def open(self, target: PodPort, *, by_pod_address: bool) -> AbstractAsyncContextManager[TcpConnection]:
        """A connection to the pod's address, or to the loopback address inside of the pod. Leaving closes it.

        Raises NodeUnreachable if the node has no session, BadRequest with the reason if nothing accepts it.
        """
        ...
