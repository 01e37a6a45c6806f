"""What a preflight judges: what a person asked for, then the role's configuration, then defaults.

Reads configuration files and this host's own name; everything else about the host is gathered in gather.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from host.config import default_node_name, master_url
from host.layout import HostLayout, Role
from host.preflight.gather import Subject

_MASTER_PORTS: Final = (6443, 6444)
"""The ports of the API and of the agents' sessions."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a person asked for; what is empty or None comes from the configuration, or is the default."""

    role: Role
    config: Path | None = None
    node_name: str = ""
    node_address: str = ""
    engine_socket: Path | None = None
    master: str = ""
    """HOST, HOST:PORT or a URL."""
    token: str = ""
    ca_hash: str = ""


def subject(request: Request, layout: HostLayout) -> Subject:
    """Raises ConfigError, ValueError, OSError, WrongUse."""
    made = Subject(
        role=request.role,
        node_name=request.node_name or default_node_name(),
        state_dir=layout.state(request.role),
        node_address=request.node_address,
        master=master_url(request.master) if request.master else "",
        token=request.token,
        ca_hash=request.ca_hash,
    )
    path = request.config or layout.config(request.role)
    if request.config or os.access(path, os.R_OK):
        made = _with_agent(made, path, request) if request.role == "agent" else _with_master(made, path)
    elif request.role == "master":
        made = replace(made, ports=_tcp(*_MASTER_PORTS))
    return replace(made, engine_socket=request.engine_socket) if request.engine_socket else made


def _with_agent(made: Subject, path: Path, request: Request) -> Subject:
    from agent.survey import member_of
    from host.membership.agent_toml import known

    config = known(path)
    # Only root can read the agent's state; for others a finding says so.
    member = member_of(config.state_dir) if os.geteuid() == 0 else ""
    return replace(
        made,
        node_name=request.node_name or config.node_name,
        state_dir=config.state_dir,
        node_address=request.node_address or config.node_address,
        engine_socket=config.engine_socket,
        # A member owns its name and address already: there is nothing to ask the master about them.
        token="" if member else made.token,
        master=made.master or config.master,
    )


def _with_master(made: Subject, path: Path) -> Subject:
    import tomllib
    from ipaddress import IPv4Network

    from host.preflight.facts import Cidrs

    values = tomllib.loads(path.read_text())
    api_port, session_port = _MASTER_PORTS
    return replace(
        made,
        state_dir=Path(values.get("data_dir", made.state_dir)),
        ports=_tcp(values.get("api_port", api_port), values.get("session_port", session_port)),
        cidrs=Cidrs(
            IPv4Network(values.get("cluster_cidr", made.cidrs.cluster)),
            IPv4Network(values.get("service_cidr", made.cidrs.service)),
            asked=True,
        ),
    )


def _tcp(*ports: int) -> tuple[str, ...]:
    return tuple(f"{port}/tcp" for port in ports)
