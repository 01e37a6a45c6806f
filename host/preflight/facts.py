"""The facts about this host, as values: all that the judges get. Collected by gather.py, or invented by tests."""

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
"""The overlay's link; pods' links are ours as well (`is_ours`)."""
DENIED: Final = "permission denied"
"""The problem of an engine whose socket this user may not open."""
DOCKER_ROOT: Final = Path("/var/lib/docker")
"""The default directory of images and containers."""


@dataclass(frozen=True, slots=True)
class Machine:
    """The host itself."""

    root: bool
    python: tuple[int, int]
    memory_bytes: int
    swap_bytes: int
    disks: Mapping[str, tuple[int, int]]
    """Free and total bytes of the directories that we write to."""
    init: str = "systemd"
    """Name of process 1."""


@dataclass(frozen=True, slots=True)
class Cgroup:
    """`version` 0: no cgroup file system is mounted."""

    version: int
    controllers: frozenset[str]


@dataclass(frozen=True, slots=True)
class Engine:
    """The engine's answers; `problem`: why there are none."""

    socket: Path
    problem: str = ""
    name: str = ""
    """Docker, or Podman."""
    version: str = ""
    api_version: tuple[int, int] = (0, 0)
    storage_driver: str = ""
    cgroup_driver: str = ""
    root: Path = DOCKER_ROOT
    """The directory of its images and containers."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """The host's network without our own links."""

    node_address: str
    """Empty: there is no route to the master. It is judged for nodes only."""
    interface: str = ""
    """The link with the node's address; empty for none."""
    mtu: int = 1500
    bridge: bool = False
    """Whether that link is a bridge, or a port of one."""
    routes: tuple[tuple[IPv4Network, str], ...] = ()
    """With the link's name; without default routes."""
    addresses: tuple[tuple[IPv4Interface, str], ...] = ()
    nameservers: tuple[IPv4Address, ...] = ()


@dataclass(frozen=True, slots=True)
class Firewalld:
    """What firewalld accepts on the link with the node's address."""

    zone: str = ""
    """The link's zone; empty for the default zone."""
    accepts: bool = False
    """Whether that zone accepts everything."""
    ports: frozenset[str] = frozenset()
    """As `4789/udp`, `30000-32767/tcp`."""
    trusted: tuple[IPv4Network, ...] = ()
    """Sources from which everything is accepted and forwarded."""


@dataclass(frozen=True, slots=True)
class BaseChain:
    """A base chain of native nftables that drops by default, and what the rules of its table accept."""

    name: str
    """Family, table and chain, as in commands of `nft`: `inet filter input`."""
    hook: str
    """`input` or `forward`."""
    drops: str
    """Why packets that no rule accepts are dropped."""
    ports: tuple[tuple[str, int, int], ...] = ()
    """Protocol, first and last."""
    sources: tuple[IPv4Network, ...] = ()
    """From which everything is accepted."""
    destinations: tuple[IPv4Network, ...] = ()


@dataclass(frozen=True, slots=True)
class Cidrs:
    """The cluster's networks; `asked`: as the master answered, otherwise the defaults."""

    cluster: IPv4Network
    service: IPv4Network
    asked: bool = False


@dataclass(frozen=True, slots=True)
class Master:
    """The master's answers."""

    url: str
    problem: str = ""
    """Why there is no answer."""
    distrust: str = ""
    """Why it is not the right master."""
    clock_ahead_s: float | None = None
    """By how much this host's clock is ahead, without the time of the request. None: not known."""
    validity: str = ""
    """Why its certificate is not valid at this host's time; empty if it is."""
    refusal: str = ""
    """Why it refused the token."""
    name_taken: str = ""
    address_taken_by: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts."""

    role: str
    node_name: str
    machine: Machine
    cgroup: Cgroup
    engine: Engine | None
    """None for a master, which needs no engine."""
    kernel: Kernel | None
    """None: not probed, which needs root."""
    addresses: Addresses
    cidrs: Cidrs
    ports: Mapping[str, str] = field(default_factory=dict)
    """Why the port (`6443/tcp`) cannot be used; empty if it can."""
    sysctls: Mapping[str, str] = field(default_factory=dict)
    """By key with slashes; without those that the kernel does not have."""
    active: frozenset[str] = frozenset()
    """Active services of the host, by name without `.service`."""
    left_alone: frozenset[str] = frozenset()
    """Those of NetworkManager and systemd-networkd whose configuration leaves our links alone."""
    firewalld: Firewalld | None = None
    """None: it is not active, or does not answer."""
    nftables: tuple[BaseChain, ...] = ()
    master: Master | None = None
    """None: no master was given."""


def is_ours(link: str) -> bool:
    """Whether the link is one that our agent makes."""
    return link == OURS or (link.startswith("sp") and len(link) == 14)
