"""What the agent sends to the process of cluster DNS: lines of JSON. Pure; both sides use this module.

A line is one of: `settings`, `put` (a service with its endpoints), `remove` (namespace and name), `complete` (the zone
is as the agent knows it: answer from now on) and `stop`. The first lines after a start are settings, a `put` for each
service and `complete`; then come changes.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from netstack.dns.cluster import Endpoint, Port, Service, ServiceKey, Settings

MAX_LINE: Final = 16 << 20
"""Bytes of a line: a service with a hundred thousand endpoints."""
READY: Final = "READY"
"""What the process says on its standard output, with its port, as soon as it answers."""


@dataclass(frozen=True, slots=True)
class Remove:
    """The service is gone."""

    key: ServiceKey


@dataclass(frozen=True, slots=True)
class Complete:
    """The zone is complete."""


@dataclass(frozen=True, slots=True)
class Stop:
    """End now: the node leaves its cluster."""


Line = Settings | Service | Remove | Complete | Stop


def encode(line: Line) -> bytes:
    """The line with its line feed."""
    match line:
        case Settings():
            content: dict[str, Any] = {
                "settings": {
                    "domain": line.domain,
                    "address": str(line.address),
                    "networks": [str(network) for network in line.networks],
                    "upstreams": line.upstreams,
                }
            }
        case Service():
            content = {"put": _service(line)}
        case Remove():
            content = {"remove": line.key}
        case Complete():
            content = {"complete": True}
        case Stop():
            content = {"stop": True}
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def decode(text: bytes) -> Line:
    """The line. Raises ValueError if it is none."""
    try:
        [(kind, content)] = json.loads(text).items()
        match kind:
            case "settings":
                return Settings(
                    content["domain"],
                    IPv4Address(content["address"]),
                    tuple(IPv4Network(network) for network in content["networks"]),
                    tuple(content["upstreams"]),
                )
            case "put":
                return _read_service(content)
            case "remove":
                namespace, name = content
                return Remove((namespace, name))
            case "complete":
                return Complete()
            case "stop":
                return Stop()
    except (TypeError, KeyError, AttributeError) as error:
        raise ValueError(f"not a line of the feed: {error}") from error
    raise ValueError(f"{kind!r} is not known")


def _service(service: Service) -> dict[str, Any]:
    return {
        "namespace": service.namespace,
        "name": service.name,
        "clusterIP": str(service.cluster_ip) if service.cluster_ip else "",
        "externalName": service.external_name,
        "ports": _ports(service.ports),
        "endpoints": [[str(each.address), each.hostname, _ports(each.ports)] for each in service.endpoints],
    }


def _ports(ports: tuple[Port, ...]) -> list[tuple[str, str, int]]:
    return [(port.name, port.protocol, port.number) for port in ports]


def _read_service(content: dict[str, Any]) -> Service:
    return Service(
        content["namespace"],
        content["name"],
        IPv4Address(content["clusterIP"]) if content["clusterIP"] else None,
        content["externalName"],
        tuple(Port(*port) for port in content["ports"]),
        tuple(
            Endpoint(IPv4Address(address), hostname, tuple(Port(*port) for port in ports))
            for address, hostname, ports in content["endpoints"]
        ),
    )
