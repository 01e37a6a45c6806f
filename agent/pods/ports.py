"""What the pods' side of the agent needs from its neighbours: Protocols only.

`PodNetwork` is implemented on netstack's thread (agent/network.py), `Reporter` by the session (agent/session).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from agent.model import PodUid
from agent.statuses import Event, PodStatus


class PodNetwork(Protocol):
    """Wires pods to the node's network. All calls are idempotent; a failed one raises and is tried again."""

    async def attach(self, uid: PodUid, pid: int) -> IPv4Address:
        """Claims the pod's address (once in its life) and wires the network namespace of `pid`."""
        ...

    async def detach(self, uid: PodUid) -> None:
        """Takes the pod off the network; the address stays claimed."""
        ...

    async def release(self, uid: PodUid) -> None:
        """Frees the pod's address; only called once the sandbox is gone."""
        ...


class Reporter(Protocol):
    """Where the pods' side tells what it sees. Calls never block and never fail."""

    def report(self, status: PodStatus) -> None:
        """A pod's complete present status."""
        ...

    def event(self, event: Event) -> None:
        """Something that happened, for people."""
        ...

    def removed(self, uid: PodUid) -> None:
        """Nothing of the pod is left on the node."""
        ...


@dataclass(frozen=True, slots=True)
class PodsConfig:
    """What the pods' side takes from the agent's configuration."""

    cluster_id: str
    """Value of the cluster label: containers of another cluster are never touched."""
    node_name: str
    state_dir: Path
    """`pods/<uid>/` below it holds what a pod has on disk."""
    pause_image: str = "sampan/pause:1"
    cgroup_parent: str = ""
    """Empty: the engine's own."""
    resolv_conf: Path = field(default_factory=lambda: Path("/etc/resolv.conf"))
