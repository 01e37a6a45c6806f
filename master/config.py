"""The master's configuration: one TOML file, loaded once and passed on as a frozen value.

Owns the names, defaults and checks of master.toml. Reads no environment variables and imports none of the components
that use the values.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, Literal

from hull import settings

# A day. A longer period would amount to no check at all.
_LONGEST_S: Final = 86400
# An IP address of either family, or a DNS name: what a certificate may contain.
_HOST: Final = re.compile(r"[0-9a-fA-F:.]+|[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class MasterConfig:
    """The settings of master.toml. Defaults are those of Kubernetes where it has one."""

    data_dir: Path
    """Directory of certificates, keys, admin.kubeconfig and the store; the master locks it."""
    listen_address: str = "0.0.0.0"
    """IP address on which the API and the sessions of agents listen; 0.0.0.0: on all addresses."""
    api_port: int = 6443
    """TCP port of the API (HTTPS); 0: a free one, for tests."""
    session_port: int = 6444
    """TCP port of the sessions of agents (gRPC). Nodes keep it from their join, so it must not change afterwards."""
    advertise_addresses: tuple[str, ...] = ()
    """Addresses and names by which people and agents reach the master. Its certificate contains all of them. The first
    one is in admin.kubeconfig and is sent to joining nodes."""
    cluster_name: str = "sampan"
    """Name of the cluster in admin.kubeconfig and in the CA certificate."""
    cluster_cidr: str = "10.244.0.0/16"
    """Addresses of all pods; each node gets a part of them. Must not overlap service_cidr or the hosts' network."""
    pod_cidr_prefix: int = 24
    """Prefix length of a node's part of cluster_cidr: 24 is 256 addresses for the pods of one node."""
    service_cidr: str = "10.96.0.0/16"
    """Cluster IPs of services."""
    node_port_range: str = "30000-32767"
    """First and last node port. Keep it apart from the ports that programs of the nodes listen on."""
    heartbeat_s: float = 10.0
    """Period of the heartbeats that agents send, in seconds; less than half of grace_s, so that one may be lost."""
    grace_s: float = 40.0
    """A node without a heartbeat for this many seconds becomes Unknown."""
    eviction_s: float = 300.0
    """Pods of a node that has been Unknown for this many seconds are replaced. A shorter time replaces pods that would
    have come back after a reboot."""
    idle_timeout_s: float = 120.0
    """An API connection without a request for this many seconds is closed; the TLS handshake and headers count too."""
    request_timeout_s: float = 60.0
    """Longest time in which the body of a request has to arrive, in seconds."""
    stalled_timeout_s: float = 30.0
    """A connection whose client reads nothing of a response for this many seconds is closed, to free its memory."""
    bootstrap_token_file: Path | None = None
    """File with a token `id.secret` that becomes valid for joining at every start, for clusters that are set up without
    `sampan token create`."""
    list_old_versions: bool = False
    """Whether discovery lists old versions and names, such as `minions`, which are served in any case. Some old clients
    and charts look there."""
    log_format: Literal["text", "json", "journal"] = "text"
    """Lines of text or JSON on stderr, or entries of systemd's journal. `sampan install` sets `journal`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""

    @property
    def address(self) -> str:
        """The address under which clients and agents reach the master."""
        if self.advertise_addresses:
            return self.advertise_addresses[0]
        return "127.0.0.1" if self.listen_address == "0.0.0.0" else self.listen_address

    @property
    def node_ports(self) -> range:
        first, _, last = self.node_port_range.partition("-")
        return range(int(first), int(last) + 1)


def load(path: Path) -> MasterConfig:
    """Reads and checks the file. Raises SettingsError."""
    return settings.load(path, from_values)


def from_values(values: dict[str, Any]) -> MasterConfig:
    """The configuration from a parsed document. Raises ValueError, which names the field."""
    config = settings.parsed(MasterConfig, values)
    _check(config)
    return config


def _check(config: MasterConfig) -> None:
    for name in ("api_port", "session_port"):
        if not 0 <= getattr(config, name) <= 65535:
            raise ValueError(f"{name}: {getattr(config, name)} is not a port number")
    _check_periods(config)
    _check_hosts(config)
    cluster, services = _network("cluster_cidr", config.cluster_cidr), _network("service_cidr", config.service_cidr)
    if cluster.overlaps(services):
        raise ValueError(f"service_cidr: {services} overlaps cluster_cidr {cluster}")
    if not cluster.prefixlen <= config.pod_cidr_prefix <= 30:
        raise ValueError(f"pod_cidr_prefix: must be from {cluster.prefixlen} to 30")
    first, _, last = config.node_port_range.partition("-")
    if not (first.isdecimal() and last.isdecimal() and 0 < int(first) <= int(last) <= 65535):
        raise ValueError(f"node_port_range: {config.node_port_range!r} is not like 30000-32767")


def _check_periods(config: MasterConfig) -> None:
    for name in ("heartbeat_s", "grace_s", "eviction_s"):
        if not 0 <= getattr(config, name) <= _LONGEST_S:
            raise ValueError(f"{name}: {getattr(config, name)} is not from 0 to {_LONGEST_S} seconds")
    if not 0 < config.heartbeat_s < config.grace_s / 2:
        raise ValueError("grace_s: must be more than twice heartbeat_s")
    for name in ("idle_timeout_s", "request_timeout_s", "stalled_timeout_s"):
        if not 0.1 <= getattr(config, name) <= 86400:
            raise ValueError(f"{name}: must be from 0.1 to 86400")


def _check_hosts(config: MasterConfig) -> None:
    for name in ("listen_address", "advertise_addresses"):
        value = getattr(config, name)
        for host in (value,) if isinstance(value, str) else value:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{name}: {host!r} is not an address or a name")


def _network(name: str, text: str) -> IPv4Network:
    try:
        return ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
