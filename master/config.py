"""The master's configuration: one TOML file, loaded once and passed on as a frozen value.

Owns the names, defaults and checks of master.toml. Reads no environment variables and imports none of the components
that use the values.
"""

from __future__ import annotations

import ipaddress
import re
import tomllib
from dataclasses import dataclass, fields
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Final, Literal

# A day. A longer period would amount to no check at all.
_LONGEST_S: Final = 86400
# An IP address of either family, or a DNS name: what a certificate may contain.
_HOST: Final = re.compile(r"[0-9a-fA-F:.]+|[A-Za-z0-9]([-A-Za-z0-9.]{0,251}[A-Za-z0-9])?")
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


class ConfigError(Exception):
    """The configuration file cannot be used; the message names the file, the field and what is expected."""


@dataclass(frozen=True, slots=True)
class MasterConfig:
    """The settings of master.toml. Defaults are those of Kubernetes where it has one."""

    data_dir: Path
    """Directory of certificates, keys, admin.kubeconfig and the store; the master locks it."""
    listen_address: str = "0.0.0.0"
    api_port: int = 6443
    session_port: int = 6444
    advertise_addresses: tuple[str, ...] = ()
    """Addresses and names by which people and agents reach the master. Its certificate contains all of them. The first
    one is in admin.kubeconfig and is sent to joining nodes."""
    cluster_name: str = "sampan"
    cluster_cidr: str = "10.244.0.0/16"
    """Addresses of all pods; each node gets a part of them."""
    pod_cidr_prefix: int = 24
    """Prefix length of a node's part."""
    service_cidr: str = "10.96.0.0/16"
    node_port_range: str = "30000-32767"
    """First and last node port."""
    heartbeat_s: float = 10.0
    grace_s: float = 40.0
    """A node without a heartbeat for this long becomes Unknown."""
    eviction_s: float = 300.0
    """Pods of a node that has been Unknown for this long are replaced."""
    idle_timeout_s: float = 120.0
    """An API connection is closed when no request begins for this long; the TLS handshake and headers count too."""
    request_timeout_s: float = 60.0
    """How long a request's body may take to arrive."""
    stalled_timeout_s: float = 30.0
    """A connection is closed when its client reads nothing of a response for this long."""
    bootstrap_token_file: Path | None = None
    """File with a token `id.secret`, which becomes valid for joining at every start."""
    log_format: Literal["text", "json", "journal"] = "text"
    log_level: str = "info"

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
    """Reads and checks the file. Raises ConfigError."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error
    try:
        return from_values(values)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def from_values(values: dict[str, Any]) -> MasterConfig:
    """The configuration from a parsed document. Raises ValueError, which names the field."""
    types = {field.name: str(field.type) for field in fields(MasterConfig)}
    unknown = sorted(values.keys() - types.keys())
    if unknown:
        raise ValueError(f"{unknown[0]}: no such setting")
    if "data_dir" not in values:
        raise ValueError("data_dir: required")
    config = MasterConfig(**{name: _typed(name, value, types[name]) for name, value in values.items()})
    _check(config)
    return config


def _typed(name: str, value: object, type_name: str) -> Any:
    """The value with its field's type: TOML has no paths and no tuples, and an integer may stand for a float."""
    if type_name.startswith("Path") and isinstance(value, str) and "\0" not in value:
        return Path(value)
    if type_name.startswith("tuple") and isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if type_name == "float" and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if type_name == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if type_name.startswith(("str", "Literal")) and isinstance(value, str):
        return value
    raise ValueError(f"{name}: {value!r} is not of type {type_name}")


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
    if config.log_format not in ("text", "json", "journal"):
        raise ValueError(f"log_format: {config.log_format!r} is not one of text, json, journal")
    if config.log_level not in LOG_LEVELS:
        raise ValueError(f"log_level: {config.log_level!r} is not one of {', '.join(LOG_LEVELS)}")


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
