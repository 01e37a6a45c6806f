"""Service variables: how containers find services without DNS.

Owns the variables' form (Kubernetes: "Environment variables"; the last four are Docker's links form). Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.model import ServiceEnv

_MASTER = ("default", "kubernetes")


def visible_services(services: Iterable[ServiceEnv], namespace: str, *, links: bool) -> list[ServiceEnv]:
    """Services that a pod hears of: those of its namespace (when it wants links), and the API's of `default`."""
    own = [each for each in services if links and each.ref.namespace == namespace]
    names = {each.ref.name for each in own}
    master = [
        each for each in services if (each.ref.namespace, each.ref.name) == _MASTER and each.ref.name not in names
    ]
    return [*master, *own]


def service_variables(services: Iterable[ServiceEnv]) -> dict[str, str]:
    """All variables of these services; headless ones have none."""
    variables: dict[str, str] = {}
    for service in services:
        if service.cluster_ip not in ("", "None") and service.ports:
            variables |= _variables(service)
    return variables


def _variables(service: ServiceEnv) -> dict[str, str]:
    prefix, address, first = _upper(service.ref.name), service.cluster_ip, service.ports[0]
    variables = {f"{prefix}_SERVICE_HOST": address, f"{prefix}_SERVICE_PORT": str(first.port)}
    for port in service.ports:
        if port.name:
            variables[f"{prefix}_SERVICE_PORT_{_upper(port.name)}"] = str(port.port)
    variables[f"{prefix}_PORT"] = f"{first.protocol.lower()}://{address}:{first.port}"
    for port in service.ports:
        link, protocol = f"{prefix}_PORT_{port.port}_{port.protocol.upper()}", port.protocol.lower()
        variables |= {
            link: f"{protocol}://{address}:{port.port}",
            f"{link}_PROTO": protocol,
            f"{link}_PORT": str(port.port),
            f"{link}_ADDR": address,
        }
    return variables


def _upper(name: str) -> str:
    return name.upper().replace("-", "_")
