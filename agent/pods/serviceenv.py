"""Service variables, by which containers find services without DNS.

Owns the names of the variables (Kubernetes: "Environment variables"; the last four of each port are those of Docker's
links). Pure functions.
"""

from __future__ import annotations

from collections.abc import Iterable

from agent.model import ServiceEnv

_API = ("default", "kubernetes")


def visible_services(services: Iterable[ServiceEnv], namespace: str, *, links: bool) -> list[ServiceEnv]:
    """The services that a pod gets variables for: its namespace's (if `links`), and the API server's."""
    own = [service for service in services if links and service.ref.namespace == namespace]
    names = {service.ref.name for service in own}
    api = [service for service in services if (service.ref.namespace, service.ref.name) == _API]
    return [*(service for service in api if service.ref.name not in names), *own]


def service_variables(services: Iterable[ServiceEnv]) -> dict[str, str]:
    """All variables of these services; a headless one has none."""
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
