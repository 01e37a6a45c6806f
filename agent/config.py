"""The agent's configuration: one TOML file, loaded once, passed on as a frozen value.

Owns the names, defaults and checks of agent.toml. Reads no environment variables and does not know the components that
use the values.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from hull import settings
from proto import contract

_LONGEST_S: Final = 86400
_POD_SYSCTLS: Final = ("net.", "kernel.shm", "kernel.msg", "kernel.sem", "fs.mqueue.")
"""Beginnings of the parameters that each network or IPC namespace has for itself."""


_LONGEST_BACKOFF_S: Final = 300
_LONGEST_SHUTDOWN_S: Final = 1200
"""After half an hour, systemd ends a shutdown by force."""
_IMAGE_NAME: Final = re.compile(r"[a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*")


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """The settings of agent.toml."""

    state_dir: Path
    """Identity, desired state, claimed addresses; the agent locks it. Each node needs a directory of its own."""
    node_name: str
    """Name of the Node object: a lower-case DNS name that no other node has. A joined node cannot change it."""
    master: str
    """URL of the master's API, like https://10.0.0.1:6443; used for joining and to find the route to the master."""
    engine_socket: Path = Path("/var/run/docker.sock")
    """Socket of the container engine: Docker's, or Podman's /run/podman/podman.sock."""
    node_address: str = ""
    """IPv4 address at which the other nodes reach this one; empty: the source address of the route to the master."""
    host_path_root: Path = Path("/")
    """Directory that the host paths of pods are relative to; another one is for several nodes on one machine."""
    resolv_conf: Path = Path("/etc/resolv.conf")
    """File with the host's resolvers. Cluster DNS asks them about names outside of the cluster, and pods with the DNS
    policy Default get them. If it names systemd-resolved (127.0.0.53), the resolvers behind that one are used."""
    cgroup_parent: str = ""
    """Parent cgroup of this node's containers; empty: the engine's default."""
    capacity_cpu_millis: int = 0
    """Processor time that the node offers to pods, in thousandths of a core; 0: all cores of the machine."""
    capacity_memory_bytes: int = 0
    """Memory that the node offers to pods, in bytes; 0: all memory of the machine."""
    max_pods: int = 110
    """The maximum number of pods on this node. The node's pod CIDR must have an address for each."""
    pause_image: str = "sampan/pause:1"
    """Image of the sandboxes. The agent contains the default one; any other is pulled."""
    allowed_unsafe_sysctls: tuple[str, ...] = ()
    """Sysctls that pods of this node may set besides the safe ones, such as `net.core.somaxconn`; a name that ends with
    `*` stands for all that begin so. Only those that each pod has for itself: net.*, kernel.shm*, kernel.msg*,
    kernel.sem and fs.mqueue.*."""
    longest_container_backoff_s: float = 300.0
    """Longest delay before a container that crashes again and again is restarted, in seconds, from 1 to 300
    (`maxContainerRestartPeriod` of Kubernetes). The first delay is 10 s, or this one if it is shorter."""
    container_pids_limit: int = 4096
    """How many processes and threads a container may have (Kubernetes' `podPidsLimit`, but for each container), so that
    no container can use up those of the node; 0: no limit. New containers get it."""
    image_pull_credentials_verification: Literal[
        "NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify"
    ] = "NeverVerifyPreloadedImages"
    """When a pod needs credentials for an image that is on the node already (`imagePullCredentialsVerificationPolicy`
    of Kubernetes). By default, if this agent pulled the image with a secret: the pod must have that secret, the same
    credentials, or others with which the image can be pulled again."""
    preloaded_images_verification_allowlist: tuple[str, ...] = ()
    """With NeverVerifyAllowlistedImages: the images for which pods need no credentials, by their whole name without a
    tag, such as `docker.io/library/nginx`. A name that ends with `/*` stands for all that begin so."""
    shutdown_grace_period_s: int = 0
    """Seconds that all pods together get to end when the host shuts down, up to 1200 (`shutdownGracePeriod` of
    Kubernetes). They have failed then, and are replaced elsewhere. 0: the engine ends them, and the agent starts them
    again after a reboot. The host has to run systemd, and a Docker whose unit is `docker.service`."""
    shutdown_grace_period_critical_pods_s: int = 0
    """How many of these seconds are for the pods with one of the priority classes system-cluster-critical and
    system-node-critical, which end after the others (`shutdownGracePeriodCriticalPods` of Kubernetes)."""
    secrets_on_disk: bool = False
    """Keep secrets with the desired state (0600), so that pods with secrets start after a reboot without a master."""
    audit_s: float = 3.0
    """Longest time between two audits of the kernel's network rules, in seconds: legacy iptables reports no changes, so
    this bounds how long services are away after another program removed the rules."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels of the Node object, which node selectors of pods can use."""
    log_format: Literal["text", "json", "journal"] = "text"
    """Lines of text or JSON on stderr, or entries of systemd's journal. `sampan install` sets `journal`."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least severity that is logged."""

    @property
    def master_host(self) -> str:
        return urlsplit(self.master).hostname or ""


def load(path: Path) -> AgentConfig:
    """Read and check the file. Raises SettingsError."""
    return settings.load(path, from_values)


def from_values(values: dict[str, Any]) -> AgentConfig:
    """The configuration from a parsed document. Raises ValueError that names the field."""
    config = settings.parsed(AgentConfig, values)
    _check(config)
    return config


def node_name_problem(name: str) -> str:
    """Why this cannot be a node's name; empty: it can."""
    return "" if contract.is_node_name(name) else f"{name!r} cannot be a node's name: {contract.NODE_NAME_FORM}"


def _check(config: AgentConfig) -> None:
    if problem := node_name_problem(config.node_name):
        raise ValueError(f"node_name: {problem}")
    url = urlsplit(config.master)
    if url.scheme != "https" or not url.hostname:
        raise ValueError(f"master: {config.master!r} is not of the form https://ADDRESS:6443")
    if config.node_address:
        try:
            ipaddress.IPv4Address(config.node_address)
        except ValueError as error:
            raise ValueError(f"node_address: {error}") from error
    if config.max_pods < 1:
        raise ValueError("max_pods: must be at least 1")
    if not 0 < config.audit_s <= _LONGEST_S:
        raise ValueError(f"audit_s: must be more than 0, and {_LONGEST_S} at most")
    if not 1 <= config.longest_container_backoff_s <= _LONGEST_BACKOFF_S:
        raise ValueError(f"longest_container_backoff_s: must be from 1 to {_LONGEST_BACKOFF_S}")
    if config.container_pids_limit < 0:
        raise ValueError("container_pids_limit: must not be negative")
    for name in config.allowed_unsafe_sysctls:
        if not name.startswith(_POD_SYSCTLS):
            raise ValueError(f"allowed_unsafe_sysctls: {name!r} is not a parameter that each pod has for itself")
    if config.capacity_cpu_millis < 0 or config.capacity_memory_bytes < 0:
        raise ValueError("capacity_cpu_millis, capacity_memory_bytes: must not be negative")
    _check_allowlist(config.preloaded_images_verification_allowlist)
    _check_shutdown(config)


def _check_shutdown(config: AgentConfig) -> None:
    if not 0 <= config.shutdown_grace_period_s <= _LONGEST_SHUTDOWN_S:
        raise ValueError(f"shutdown_grace_period_s: must be from 0 to {_LONGEST_SHUTDOWN_S}")
    if not 0 <= config.shutdown_grace_period_critical_pods_s <= config.shutdown_grace_period_s:
        raise ValueError("shutdown_grace_period_critical_pods_s: must be from 0 to shutdown_grace_period_s")


def _check_allowlist(patterns: tuple[str, ...]) -> None:
    form = "REGISTRY/NAME without a tag, or a beginning and /*"
    for pattern in patterns:
        if not _IMAGE_NAME.fullmatch(pattern.removesuffix("/*")):
            raise ValueError(f"preloaded_images_verification_allowlist: {pattern!r} is not of the form {form}")
