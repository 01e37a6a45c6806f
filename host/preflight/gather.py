"""Collects the facts. Judges nothing and changes nothing.

Reads /proc, /etc, systemd and the engine's socket; cluster.py asks the master, agent/survey.py probes the kernel.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any, Final

from agent import survey
from agent.address import source_of_route
from host.preflight import cluster, firewalls, nftables
from host.preflight.facts import (
    AGENT,
    DENIED,
    DOCKER_ROOT,
    OURS,
    Addresses,
    Cgroup,
    Cidrs,
    Engine,
    Facts,
    Machine,
    is_ours,
)
from hull import programs, systemd, unixhttp
from hull.errors import HullError

DEFAULT_CIDRS: Final = Cidrs(IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/16"))
_CGROUP: Final = Path("/sys/fs/cgroup")
_UFW: Final = Path("/etc/ufw/ufw.conf")
_ENGINE_S: Final = 5.0
_SYSTEMCTL_S: Final = 10.0
_SYSCTLS: Final = ("net/ipv4/ip_forward", "net/ipv4/conf/all/rp_filter", "net/bridge/bridge-nf-call-iptables")
_MASTER: Final = "sampan-master"
_UNITS: Final = ("firewalld", "NetworkManager", "systemd-networkd", _MASTER)
_SNIPPETS: Final[Mapping[str, tuple[str, ...]]] = {
    "NetworkManager": ("/etc/NetworkManager", "/usr/lib/NetworkManager/conf.d", "/run/NetworkManager/conf.d"),
    "systemd-networkd": ("/etc/systemd/network", "/usr/lib/systemd/network", "/run/systemd/network"),
}


@dataclass(frozen=True, slots=True)
class Subject:
    """The node or master that the host is to become, by options and configuration."""

    role: str
    node_name: str
    state_dir: Path
    node_address: str = ""
    engine_socket: Path = Path("/var/run/docker.sock")
    master: str = ""
    """https://HOST:PORT; empty: none was given."""
    token: str = ""
    ca_hash: str = ""
    ports: tuple[str, ...] = ("4789/udp",)
    """Those that have to be free, as `6443/tcp`."""
    cidrs: Cidrs = DEFAULT_CIDRS


def gather(subject: Subject) -> Facts:
    """All facts. Takes about a second, longer when the master does not answer."""
    engine = read_engine(subject.engine_socket) if subject.role == AGENT else None
    addresses = _addresses(subject)
    master, asked = None, None
    if subject.master:
        pending = survey.pending_key_hash(subject.state_dir)
        master, asked = cluster.ask(
            subject.master,
            subject.ca_hash,
            subject.token,
            {"nodeName": subject.node_name, "address": addresses.node_address, "publicKey": pending},
        )
    root = os.geteuid() == 0
    active = frozenset(_active())
    return Facts(
        role=subject.role,
        node_name=subject.node_name,
        machine=_machine(subject, engine, root=root),
        cgroup=_cgroup(),
        engine=engine,
        # A master needs no kernel features, but the rules show what ufw drops.
        kernel=survey.kernel() if root and (subject.role == AGENT or "ufw" in active) else None,
        addresses=addresses,
        cidrs=asked or subject.cidrs,
        ports=dict(_ports(subject, active)),
        sysctls=_sysctls(addresses.interface),
        active=active,
        left_alone=frozenset(name for name in _SNIPPETS if _is_left_alone(name)),
        firewalld=firewalls.firewalld(addresses.interface) if "firewalld" in active else None,
        nftables=nftables.read() if root else (),
        master=master,
    )


def _engine_name(version: Mapping[str, Any]) -> str:
    components = version.get("Components") or ()
    podman = any("podman" in str(component.get("Name", "")).lower() for component in components)
    return "Podman" if podman else "Docker"


def read_engine(path: Path) -> Engine:
    """The engine's description of itself."""
    if not path.exists():
        return Engine(path, problem="absent")
    try:
        version, info = _engine_json(path, "/version"), _engine_json(path, "/info")
    except PermissionError:
        return Engine(path, problem=DENIED)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return Engine(path, problem=str(error) or type(error).__name__)
    return Engine(
        path,
        name=_engine_name(version),
        version=str(version.get("Version", "?")),
        api_version=_api_version(str(version.get("ApiVersion", ""))),
        storage_driver=str(info.get("Driver", "")),
        cgroup_driver=str(info.get("CgroupDriver", "")),
        root=Path(info.get("DockerRootDir") or DOCKER_ROOT),
    )


def _engine_json(path: Path, target: str) -> dict[str, Any]:
    status, body = unixhttp.get(path, target, timeout_s=_ENGINE_S)
    if status != http.client.OK:
        raise OSError(f"it answered {status} to {target}")
    document = json.loads(body)
    if not isinstance(document, dict):
        raise ValueError(f"its answer to {target} is not an object")
    return document


def _api_version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else (0, 0)


def _machine(subject: Subject, engine: Engine | None, *, root: bool) -> Machine:
    import psutil

    directories = dict.fromkeys([subject.state_dir, *([engine.root] if engine else [])])
    disks = {str(directory): shutil.disk_usage(_existing(directory)) for directory in directories}
    return Machine(
        root=root,
        python=sys.version_info[:2],
        memory_bytes=psutil.virtual_memory().total,
        swap_bytes=psutil.swap_memory().total,
        disks={name: (usage.free, usage.total) for name, usage in disks.items()},
        init=_text(Path("/proc/1/comm")),
    )


def _existing(path: Path) -> Path:
    """The directory, or the nearest one above it that exists."""
    return next(directory for directory in (path, *path.parents) if directory.is_dir())


def _cgroup() -> Cgroup:
    if (_CGROUP / "cgroup.controllers").exists():
        return Cgroup(2, frozenset(_text(_CGROUP / "cgroup.controllers").split()))
    lines = [line.split() for line in _text(Path("/proc/cgroups")).splitlines() if not line.startswith("#")]
    enabled = frozenset(line[0] for line in lines if line[-1] == "1" and (_CGROUP / line[0]).is_dir())
    return Cgroup(1 if enabled else 0, enabled)


def _addresses(subject: Subject) -> Addresses:
    import psutil

    address = subject.node_address or _route_source(subject.master)
    on_links = [
        (IPv4Interface(f"{entry.address}/{entry.netmask or 32}"), link)
        for link, addresses in psutil.net_if_addrs().items()
        for entry in addresses
        if entry.family is socket.AF_INET
    ]
    interface = next((link for entry, link in on_links if str(entry.ip) == address), "")
    stats = psutil.net_if_stats()
    link = Path("/sys/class/net") / interface
    return Addresses(
        node_address=address,
        interface=interface,
        mtu=stats[interface].mtu if interface in stats else 1500,
        bridge=bool(interface) and ((link / "bridge").exists() or (link / "brport").exists()),
        routes=tuple((network, link) for network, link in _routes() if not is_ours(link)),
        addresses=tuple((entry, link) for entry, link in on_links if not is_ours(link)),
        nameservers=tuple(_nameservers()),
    )


def _route_source(master: str) -> str:
    """The address that this host reaches the master from; empty without a route."""
    host = cluster.host_and_port(master)[0] if master else "192.0.2.1"
    try:
        return source_of_route(host)
    except OSError:
        return ""


def _routes() -> Iterator[tuple[IPv4Network, str]]:
    """The main table without default routes; hexadecimal in the machine's byte order (proc(5))."""
    for line in _text(Path("/proc/net/route")).splitlines()[1:]:
        link, destination, *_, mask, _mtu, _window, _irtt = line.split()
        ip, netmask = (IPv4Address(int(word, 16).to_bytes(4, sys.byteorder)) for word in (destination, mask))
        network = IPv4Network(f"{ip}/{netmask}")
        if network.prefixlen:
            yield network, link


def _nameservers() -> Iterator[IPv4Address]:
    """The resolvers; with systemd-resolved those behind its stub."""
    text = _text(Path("/etc/resolv.conf"))
    if "127.0.0.53" in text:
        text = _text(Path("/run/systemd/resolve/resolv.conf"))
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            try:
                yield IPv4Address(words[1])
            except ipaddress.AddressValueError:
                continue  # IPv6


def _ports(subject: Subject, active: frozenset[str]) -> Iterator[tuple[str, str]]:
    for port in subject.ports:
        number, _, protocol = port.partition("/")
        if subject.role != AGENT and _MASTER in active:
            yield port, ""  # our own master uses it
            continue
        if protocol == "udp" and Path("/proc/sys/net/ipv4/conf", OURS).exists():
            continue  # our own VTEP uses it
        kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
        with socket.socket(socket.AF_INET, kind) as trial:
            if protocol == "tcp":
                # Connections that a server has left behind do not count.
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("0.0.0.0", int(number)))
            except OSError as error:
                yield port, error.strerror or str(error)
            else:
                yield port, ""


def _sysctls(interface: str) -> dict[str, str]:
    keys = [*_SYSCTLS, *([f"net/ipv4/conf/{interface}/rp_filter"] if interface else [])]
    return {key: value for key in keys if (value := _text(Path("/proc/sys", key)))}


def _active(run: Callable[..., str] = programs.run) -> Iterator[str]:
    if _setting(_UFW, "ENABLED").lower() == "yes":
        yield "ufw"
    if not systemd.runs_this_host():
        return
    units = [f"{name}.service" for name in _UNITS]
    try:
        active = systemd.active(partial(run, timeout_s=_SYSTEMCTL_S), units)
    except HullError:
        return
    for unit in active:
        yield unit.removesuffix(".service")


def _is_left_alone(manager: str) -> bool:
    files = (path for directory in _SNIPPETS[manager] for path in Path(directory).rglob("*") if path.is_file())
    return any(OURS in _text(path) for path in files)


def _setting(path: Path, key: str) -> str:
    """A value from a file of shell assignments; empty when it is not set."""
    lines = (line.strip().partition("=") for line in _text(path).splitlines())
    return next((value.strip("\"'") for name, _, value in lines if name == key), "")


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
