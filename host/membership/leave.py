"""Leaving: the node is drained and removed, and this host is as it was before it joined.

Owns the order. The identity, and the configuration that names the state directory, are removed last, so that the same
command completes an interrupted one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent import departure
from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import MasterAway, Unreadable
from agent.identity.files import Identity
from host.config import default_node_name
from host.membership import agent_toml
from host.membership.errors import HostBusy, MasterUnreachable, MembershipError
from host.membership.machine import POLL_S, Host, alone, changing
from hull.errors import SettingsError

AGENT_ENDS_S: Final = 30.0
"""How long an agent may take to clean up after its Node was deleted, until it is stopped and the command cleans up."""


@dataclass(frozen=True, slots=True)
class LeaveRequest:
    """The options of `sampan leave`; state directory and engine are for a host without configuration."""

    config_path: Path
    state_dir: Path
    engine_socket: Path
    drain_s: float = 120.0
    """How long pods may take to end; 0: do not wait for them."""


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """The options of `sampan reset`; the node's name is for a host without identity as well."""

    config_path: Path
    state_dir: Path
    engine_socket: Path
    node_name: str = ""
    force: bool = False


def leave(this_host: Host, request: LeaveRequest) -> None:
    """Drain and remove the node, clean the host. Raises MembershipError, IdentityError, HullError, OSError."""
    with changing(this_host):
        _leave(this_host, request)


def _leave(this_host: Host, request: LeaveRequest) -> None:
    if request.config_path.exists():
        config = agent_toml.known(request.config_path)
        identity = files.load(config.state_dir)
    else:
        # The configuration may have been removed: the identity knows the node.
        identity = files.load(request.state_dir)
        if identity is None:
            this_host.say(f"this host is not a node: there is no {request.config_path}")
            return
        config = _without_file(request, identity.node_name)
    if identity is None and not _remains(config):
        this_host.unit.stop()
        _drop_config(this_host, request.config_path)
        this_host.say("this host is not a node")
        return
    if identity is not None:
        try:
            _depart(this_host, config, identity, request)
        except MasterAway as error:
            raise MasterUnreachable(
                f"{error}; nothing was cleaned: try again, or `sampan reset` cleans this host without the master "
                f"(then: kubectl delete node {identity.node_name})"
            ) from error
    _stop_agent(this_host, config, wait_s=AGENT_ENDS_S if identity else 0.0)
    with alone(config):
        problems = departure.clean(config, cluster_id=identity.cluster_id if identity else "")
        _report(this_host, problems, "leave", fatal=True)
        if identity is not None:
            _report_left(this_host, config, identity)
        departure.forget(config, directory=_is_ours(request.config_path))
    _drop_config(this_host, request.config_path)
    this_host.say(f"node {config.node_name} has left the cluster, and this host is clean")


def reset(this_host: Host, request: ResetRequest) -> None:
    """Clean the host, with or without a master. Raises MembershipError, HullError when the agent cannot be stopped."""
    with changing(this_host):
        _reset(this_host, request)


def _reset(this_host: Host, request: ResetRequest) -> None:
    config = _config(this_host, request)
    _stop_agent(this_host, config, wait_s=0.0)
    if not config.state_dir.is_dir() and config.state_dir.exists():
        raise MembershipError(f"{config.state_dir} is not a directory: see what it is, remove it, and run this again")
    with alone(config):
        identity = _identity(this_host, config.state_dir)
        # With an identity that cannot be read, the containers of every cluster with this node's name are removed.
        problems = departure.clean(config, cluster_id=identity.cluster_id if identity else "")
        _report(this_host, problems, "reset --force", fatal=not request.force)
        if identity is not None:
            _leave_if_possible(this_host, config, identity)
        departure.forget(config, directory=_is_ours(request.config_path))
    _drop_config(this_host, request.config_path)
    this_host.say(f"this host is clean{', apart from the above' if problems else ''}")
    if problems:
        raise MembershipError(
            "not everything could be removed; the identity of the node was removed all the same (--force)"
        )


def _depart(this_host: Host, config: AgentConfig, identity: Identity, request: LeaveRequest) -> None:
    """Drain, then have the Node deleted. Does nothing for a node that the master does not know any more."""
    try:
        if not departure.standing(config, identity).removed:
            with _cordoning(this_host, identity.node_name):
                _drain(this_host, config, identity, request.drain_s)
                departure.leave(config, identity)
            this_host.say(f"node {identity.node_name} is removed from the cluster")
    except departure.AnotherMachine as error:
        raise MembershipError(
            f"the master says: {error}; nothing was changed: if this host is a copy, `sampan reset` cleans it and "
            "leaves the node alone; if it has just booted or moved, try again in a moment"
        ) from error
    except departure.Forgotten as error:
        this_host.say(f"the master says: {error}; cleaning this host")


@contextmanager
def _cordoning(this_host: Host, node_name: str) -> Iterator[None]:
    """When the block fails or is interrupted, say that the node may stay cordoned, and how to undo that."""
    try:
        yield
    except (departure.AnotherMachine, departure.Forgotten):
        raise  # The master refused: it has cordoned no node.
    except BaseException:
        this_host.say(
            f"the master may have cordoned node {node_name}, which then takes no new pods: to keep the node, run the "
            "join command that `sampan token create` prints on the master; it undoes that"
        )
        raise


def _drain(this_host: Host, config: AgentConfig, identity: Identity, drain_s: float) -> None:
    remaining = departure.drain(config, identity)
    if remaining.unmanaged:
        this_host.say(f"without a controller, so not replaced elsewhere: {_some(remaining.unmanaged)}")
    if not remaining.pods:
        return
    if not files.in_use(config.state_dir):
        this_host.say(f"the agent does not run: no grace period for {_some(remaining.pods)}")
        return
    this_host.say(f"waiting until these pods have ended: {_some(remaining.pods)}")
    ends_at = this_host.monotonic() + drain_s
    while remaining.pods and this_host.monotonic() < ends_at:
        this_host.sleep(POLL_S)
        remaining = departure.drain(config, identity)
    if remaining.pods and drain_s:
        raise MembershipError(
            f"still there after {drain_s:g} s: {_some(remaining.pods)}; run the command again, "
            "or with --drain-timeout 0 to go on without them"
        )


def _stop_agent(this_host: Host, config: AgentConfig, *, wait_s: float) -> None:
    """Wait while an agent whose Node was deleted cleans up by itself, then stop it. Raises HostBusy, HullError."""
    ends_at = this_host.monotonic() + wait_s
    while files.in_use(config.state_dir) and this_host.monotonic() < ends_at:
        this_host.sleep(POLL_S)
    this_host.unit.stop()
    if files.in_use(config.state_dir):
        raise HostBusy(f"an agent that systemd did not start runs on {config.state_dir}: stop it, then run this again")


def _report_left(this_host: Host, config: AgentConfig, identity: Identity) -> None:
    try:
        if departure.report_left(config, identity):
            return
        why = "the master did not accept the report"
    except MasterAway as error:
        why = str(error)
    this_host.say(f"{why}: the name {identity.node_name} is free, its pods' addresses are reserved for 24 hours")


def _leave_if_possible(this_host: Host, config: AgentConfig, identity: Identity) -> None:
    """Have the Node deleted, if the master answers: a reset needs none."""
    try:
        departure.leave(config, identity)
    except departure.Forgotten:
        return
    except departure.AnotherMachine as error:
        this_host.say(
            f"the master says: {error}; so the node is left alone. If that machine is gone: kubectl delete node "
            f"{identity.node_name}"
        )
        return
    except MasterAway:
        this_host.say(
            f"the master does not answer and still has the node: kubectl delete node {identity.node_name} "
            "before a host joins under that name again"
        )
        return
    _report_left(this_host, config, identity)


def _config(this_host: Host, request: ResetRequest) -> AgentConfig:
    """From the file; without a usable one, from the options and the identity."""
    try:
        return agent_toml.known(request.config_path)
    except SettingsError as error:
        if request.config_path.exists():
            this_host.say(f"{error}; using --state-dir, --engine-socket and --node-name instead")
    identity = _identity(this_host, request.state_dir)
    name = request.node_name or (identity.node_name if identity else default_node_name())
    return _without_file(request, name)


def _without_file(request: LeaveRequest | ResetRequest, node_name: str) -> AgentConfig:
    return AgentConfig(state_dir=request.state_dir, node_name=node_name, master="", engine_socket=request.engine_socket)


def _identity(this_host: Host, state_dir: Path) -> Identity | None:
    try:
        return files.load(state_dir)
    except Unreadable as error:
        this_host.say(f"damaged, but not needed here: {error}".partition(";")[0])
        return None


def _report(this_host: Host, problems: Sequence[str], again: str, *, fatal: bool) -> None:
    for problem in problems:
        this_host.say(f"could not be removed: {problem}")
    if problems and fatal:
        raise MembershipError(f"this host is not clean yet: correct the above, then run `sampan {again}`")


def _drop_config(this_host: Host, path: Path) -> None:
    if agent_toml.remove(path):
        this_host.say(f"{path} stays: it was there before the join, or was changed since")


def _is_ours(path: Path) -> bool:
    """Whether joining made the state directory. An installed host had it before, and keeps it."""
    return not path.exists() or agent_toml.is_ours(path)


def _remains(config: AgentConfig) -> bool:
    return config.state_dir.is_dir() and any(config.state_dir.iterdir())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
