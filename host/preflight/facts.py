"""What was seen of this host, as values; the judges get nothing else. Gathered by gather.py, made up by tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Final

from agent.survey import Kernel

MASTER: Final = "master"
AGENT: Final = "agent"
OURS: Final = "sampan.vxlan"
"""Link whose routes and addresses are our own; pod links are the others (`is_ours`)."""
DENIED: Final = "permission denied"
"""The problem of an engine that answers root only, for others."""
DOCKER_ROOT: Final = Path("/var/lib/docker")
"""Where an engine that does not say otherwise has its images and containers."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The host as such."""

    root: bool
    python: tuple[int, int]
    memory_bytes: int
    swap_bytes: int
    disks: Mapping[str, tuple[int, int]]
    """Free and total bytes, by directory that we write to."""
    init: str = "systemd"
    """Name of process 1."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """`version` 0: none is mounted."""

    version: int
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Engine:
    """What the engine's socket answered; `problem`: why it did not."""

    socket: Path
    problem: str = ""
    name: str = ""
    """Docker, or Podman."""
    version: str = ""
    api_version: tuple[int, int] = (0, 0)
    storage_driver: str = ""
    cgroup_driver: str = ""
    root: Path = DOCKER_ROOT
    """Where its images and containers lie."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The host's own network, our own links left out."""

    node_address: str
    """Empty: there is no route to the master. A master may have none: then it is nothing to judge."""
    interface: str = ""
    """Link that has the node's address; empty: none has it."""
    mtu: int = 1500
    bridge: bool = False
    """Whether that link is a bridge, or a port of one."""
    routes: tuple[tuple[IPv4Network, str], ...] = ()
    """With the link's name; no default routes."""
    addresses: tuple[tuple[IPv4Interface, str], ...] = ()
    nameservers: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Firewalld:
    """What firewalld lets in by the link that the node is reached by."""

    zone: str = ""
    """The link's; empty: the default zone."""
    accepts: bool = False
    """Whether that zone takes everything."""
    ports: frozenset[str] = frozenset()
    """As `4789/udp`, `30000-32767/tcp`."""
    trusted: tuple[IPv4Network, ...] = ()
    """Sources from which everything is taken, and forwarded."""


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A chain of nftables' own that drops, and what of its table lets in all the same."""

    name: str
    """Family, table and chain, as `nft` takes them: `inet filter input`."""
    hook: str
    """`input` or `forward`."""
    drops: str
    """Why what no rule lets in is dropped."""
    ports: tuple[tuple[str, int, int], ...] = ()
    """Protocol, first and last."""
    sources: tuple[IPv4Network, ...] = ()
    """From which everything is let in."""
    destinations: tuple[IPv4Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Cidrs:
    """The cluster's; `asked`: the master said so, else they are the defaults."""

    cluster: IPv4Network
    service: IPv4Network
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Master:
    """What the master that was named said."""

    url: str
    problem: str = ""
    """Why there is no answer."""
    distrust: str = ""
    """Why it is not the right one."""
    clock_ahead_s: float | None = None
    """How far this host's clock is ahead of its; the half of the way there is taken off already. None: not said."""
    validity: str = ""
    """Why its certificate is not good at this host's time; empty: it is."""
    refusal: str = ""
    """What it said against the token."""
    name_taken: str = ""
    address_taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it."""

    role: str
    node_name: str
    machine: Machine
    cgroup: Cgroup
    engine: Engine | None
    """None: not asked, a master needs none."""
    kernel: Kernel | None
    """None: not tried, as that needs root."""
    addresses: Addresses
    cidrs: Cidrs
    ports: Mapping[str, str] = field(default_factory=dict)
    """Why the port (`6443/tcp`) cannot be had; empty: it can."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """By key with slashes; one that the kernel does not have is absent."""
    active: frozenset[str] = frozenset()
    """Services of the host that run, by name without `.service`."""
    left_alone: frozenset[str] = frozenset()
    """Of NetworkManager and systemd-networkd: who is told to leave our links alone."""
    firewalld: Firewalld | None = None
    """None: it does not run, or does not say."""
    nftables: tuple[BaseChain, ...] = ()
    master: Master | None = None
    """None: no master was named."""


def is_ours(link: str) -> bool:
    """Whether the link is one that our agent makes."""
    return link == OURS or (link.startswith("sp") and len(link) == 14)
