"""What the pods' side needs from other rooms: three Protocols, and its part of the configuration.

`PodNetwork` is implemented by agent/network.py, `TokenIssuer` by agent/session/tokens.py, and `Reporter` by
agent/session/reporter.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from pathlib import Path
from typing import Protocol

from agent.model import HostPort, Pod, PodUid, TokenSource
from agent.statuses import NO_CAPACITY, Capacity, Event, PodStatus


class PodNetwork(Protocol):
    """Connects pods to the node's network. All calls are idempotent; callers retry a call that raised."""

    async def attach(self, uid: PodUid, pid: int, ports: Sequence[HostPort] = ()) -> IPv4Address:
        """Claim the pod's address (only once in its life) and connect the network namespace of `pid`.

        Until the pod is detached, the ports of the node lead to it.
        """
        ...

    async def detach(self, uid: PodUid) -> None:
        """Disconnect the pod; its address stays claimed."""
        ...

    async def release(self, uid: PodUid) -> None:
        """Free the pod's address; called only after the sandbox is gone."""
        ...


class TokenIssuer(Protocol):
    """Gives pods their tokens."""

    async def issue(self, pod: Pod, source: TokenSource) -> tuple[bytes, float]:
        """A new token of the pod's service account, and its lifetime in seconds. Raises AgentError.

        MasterAway: nobody can be asked now.
        """
        ...


class Reporter(Protocol):
    """Takes reports for the master. Calls never block and never fail."""

    def report(self, status: PodStatus) -> None:
        """A pod's complete present status."""
        ...

    def event(self, event: Event) -> None:
        """An event, for people to read."""
        ...

    def removed(self, uid: PodUid) -> None:
        """Nothing of the pod is left on the node."""
        ...


@dataclass(frozen=True, slots=True)
class HostSecurity:
    """What this host can enforce, and what its administrator allows."""

    apparmor: bool = False
    """The kernel has AppArmor, and it is on."""
    selinux: bool = False
    """The kernel has SELinux, and it is on."""
    seccomp: bool = True
    """The kernel has seccomp filters."""
    read_only_trees: bool = False
    """The kernel can make everything below a mount read-only."""
    lowers_oom_scores: bool = False
    """The engine may give containers negative OOM scores."""
    unsafe_sysctls: tuple[str, ...] = ()
    """Further sysctls that pods may set: names, or beginnings of names followed by `*`."""


@dataclass(frozen=True, slots=True)
class ImageVerification:
    """When a pod needs credentials for an image that is on the node already; the names of `policy` are the kubelet's
    (imagePullCredentialsVerificationPolicy, preloadedImagesVerificationAllowlist)."""

    policy: str = "NeverVerifyPreloadedImages"
    allowlist: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PodsConfig:
    """The settings that the pods' side needs."""

    cluster_id: str
    """Value of the cluster label: containers of another cluster are never touched."""
    node_name: str
    state_dir: Path
    """A pod's files are in `pods/<uid>/` below it."""
    pause_image: str = "sampan/pause:1"
    memory_bytes: int = 0
    """The machine's memory; 0: not known."""
    node: Capacity = NO_CAPACITY
    """What the node can give to pods."""
    cgroup_parent: str = ""
    """Empty: the engine's default."""
    resolv_conf: Path = field(default_factory=lambda: Path("/etc/resolv.conf"))
    host_root: Path = Path("/")
    """Where the file system of the host is, of which pods in its network get `etc/hosts`."""
    security: HostSecurity = HostSecurity()
    longest_container_backoff_s: float = 300.0
    container_pids: int = 0
    """How many processes and threads a container may have; 0: no limit."""
    image_verification: ImageVerification = ImageVerification()
    node_ports: tuple[HostPort, ...] = ()
    """Ports that no pod can have, because the node needs them."""
    proc: Path = Path("/proc")
    """The file system of processes, of which the users of containers are read."""

    @property
    def seccomp_profiles(self) -> Path:
        """The directory that the paths of the node's own seccomp profiles (Localhost) are relative to."""
        return self.state_dir / "seccomp"
