"""Leaving: the node is emptied and removed, and this host is as it was before it joined.

Owns the order. What must not be lost goes last: who the node is, and the configuration that says where its state
lies; so the same command goes on wherever it was interrupted.
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
"""How long an agent may take to clean up after its Node was deleted, before it is stopped and the rest done here."""


@dataclass(frozen=True, slots=True)
class LeaveRequest:
    """What a person asked for; state directory and engine are for a host whose configuration is gone."""

    config_path: Path
    state_dir: Path
    engine_socket: Path
    drain_s: float = 120.0
    """How long pods may take to end; 0: they are not waited for."""


@dataclass(frozen=True, slots=True)
class ResetRequest:
    """As above; the name is for a host whose identity is gone as well."""

    config_path: Path
    state_dir: Path
    engine_socket: Path
    node_name: str = ""
    force: bool = False


def leave(here: Host, request: LeaveRequest) -> None:
    """Empty and remove the node, clean the host. Raises MembershipError, IdentityError, SettingsError, OSError."""
    with changing(here):
        _leave(here, request)


def _leave(here: Host, request: LeaveRequest) -> None:
    if request.config_path.exists():
        config = agent_toml.known(request.config_path)
        identity = files.load(config.state_dir)
    else:
        # Who the node is, its identity says: somebody may have taken the configuration away.
        identity = files.load(request.state_dir)
        if identity is None:
            here.say(f"this host is no node: there is no {request.config_path}")
            return
        config = _without_file(request, identity.node_name)
    if identity is None and not _remains(config):
        here.unit.stop()
        _drop_config(here, request.config_path)
        here.say("this host is no node")
        return
    if identity is not None:
        try:
            _depart(here, config, identity, request)
        except MasterAway as error:
            raise MasterUnreachable(
                f"{error}; nothing was cleaned: try again, or `sampan reset` cleans this host without the master "
                f"(then: kubectl delete node {identity.node_name})"
            ) from error
    _stop_agent(here, config, wait_s=AGENT_ENDS_S if identity else 0.0)
    with alone(config):
        problems = departure.clean(config, cluster_id=identity.cluster_id if identity else "")
        _tell(here, problems, "leave", fatal=True)
        if identity is not None:
            _report_left(here, config, identity)
        departure.forget(config, directory=_is_ours(request.config_path))
    _drop_config(here, request.config_path)
    here.say(f"node {config.node_name} has left the cluster, and this host is clean")


def reset(here: Host, request: ResetRequest) -> None:
    """Clean the host, master or not. Raises MembershipError, UnitFailed where the agent cannot be stopped."""
    with changing(here):
        _reset(here, request)


def _reset(here: Host, request: ResetRequest) -> None:
    config = _config(here, request)
    _stop_agent(here, config, wait_s=0.0)
    if not config.state_dir.is_dir() and config.state_dir.exists():
        raise MembershipError(f"{config.state_dir} is no directory: look what it is, remove it, and run this again")
    with alone(config):
        identity = _identity(here, config.state_dir)
        # A certificate of who knows what is no reason to leave containers behind: then all of the node's name go.
        problems = departure.clean(config, cluster_id=identity.cluster_id if identity else "")
        _tell(here, problems, "reset --force", fatal=not request.force)
        if identity is not None:
            _say_goodbye(here, config, identity)
        departure.forget(config, directory=_is_ours(request.config_path))
    _drop_config(here, request.config_path)
    here.say(f"this host is clean{' but for what was said' if problems else ''}")
    if problems:
        raise MembershipError("not everything could be removed, and the node was forgotten nevertheless (--force)")


def _depart(here: Host, config: AgentConfig, identity: Identity, request: LeaveRequest) -> None:
    """Drain, then have the Node deleted. A node that the master has forgotten only has its host to clean."""
    try:
        if not departure.standing(config, identity).removed:
            with _cordoning(here, identity.node_name):
                _drain(here, config, identity, request.drain_s)
                departure.leave(config, identity)
            here.say(f"node {identity.node_name} is removed from the cluster")
    except departure.AnotherMachine as error:
        raise MembershipError(
            f"the master says: {error}; nothing was changed: where this host is a copy, `sampan reset` cleans it and "
            "leaves the node alone; where it has just booted or moved, try again in a moment"
        ) from error
    except departure.Forgotten as error:
        here.say(f"the master says: {error}; cleaning this host")


@contextmanager
def _cordoning(here: Host, node_name: str) -> Iterator[None]:
    """Where this is not gone through with, also by an interrupt, it is said what that leaves behind."""
    try:
        yield
    except (departure.AnotherMachine, departure.Forgotten):
        raise  # refused: no node was cordoned
    except BaseException:
        here.say(
            f"the master was told to cordon node {node_name}, which takes no new pods then: to keep the node, run the "
            "join command that `sampan token create` prints on the master; it takes that back"
        )
        raise


def _drain(here: Host, config: AgentConfig, identity: Identity, drain_s: float) -> None:
    remaining = departure.drain(config, identity)
    if remaining.unmanaged:
        here.say(f"without a controller, so gone for good: {_some(remaining.unmanaged)}")
    if not remaining.pods:
        return
    if not files.in_use(config.state_dir):
        here.say(f"the agent does not run: {_some(remaining.pods)} get no grace")
        return
    here.say(f"waiting for the end of {_some(remaining.pods)}")
    ends_at = here.monotonic() + drain_s
    while remaining.pods and here.monotonic() < ends_at:
        here.sleep(POLL_S)
        remaining = departure.drain(config, identity)
    if remaining.pods and drain_s:
        raise MembershipError(
            f"still there after {drain_s:g} s: {_some(remaining.pods)}; run the command again, "
            "or with --drain-timeout 0 to go on without them"
        )


def _stop_agent(here: Host, config: AgentConfig, *, wait_s: float) -> None:
    """It cleans up by itself and ends once its Node is gone; what it leaves is done here."""
    ends_at = here.monotonic() + wait_s
    while files.in_use(config.state_dir) and here.monotonic() < ends_at:
        here.sleep(POLL_S)
    here.unit.stop()
    if files.in_use(config.state_dir):
        raise HostBusy(f"an agent runs on {config.state_dir}, and not by systemd: stop it, then run this again")


def _report_left(here: Host, config: AgentConfig, identity: Identity) -> None:
    try:
        if departure.report_left(config, identity):
            return
        why = "the master did not take the report"
    except MasterAway as error:
        why = str(error)
    here.say(f"{why}: the name {identity.node_name} is free, its pods' addresses are kept back for 24 hours")


def _say_goodbye(here: Host, config: AgentConfig, identity: Identity) -> None:
    """Only if the master answers: a reset needs none."""
    try:
        departure.leave(config, identity)
    except departure.Forgotten:
        return
    except departure.AnotherMachine as error:
        here.say(
            f"the master says: {error}; so the node is left alone. If that machine is gone: kubectl delete node "
            f"{identity.node_name}"
        )
        return
    except MasterAway:
        here.say(
            f"the master does not answer, and has the node still: kubectl delete node {identity.node_name} "
            "before a host joins under that name again"
        )
        return
    _report_left(here, config, identity)


def _config(here: Host, request: ResetRequest) -> AgentConfig:
    """As far as it can be known."""
    try:
        return agent_toml.known(request.config_path)
    except SettingsError as error:
        if request.config_path.exists():
            here.say(f"{error}; going by --state-dir, --engine-socket and --node-name")
    identity = _identity(here, request.state_dir)
    name = request.node_name or (identity.node_name if identity else default_node_name())
    return _without_file(request, name)


def _without_file(request: LeaveRequest | ResetRequest, node_name: str) -> AgentConfig:
    return AgentConfig(state_dir=request.state_dir, node_name=node_name, master="", engine_socket=request.engine_socket)


def _identity(here: Host, state_dir: Path) -> Identity | None:
    try:
        return files.load(state_dir)
    except Unreadable as error:
        here.say(f"damaged, and not needed for this: {error}".partition(";")[0])
        return None


def _tell(here: Host, problems: Sequence[str], again: str, *, fatal: bool) -> None:
    for problem in problems:
        here.say(f"could not be removed: {problem}")
    if problems and fatal:
        raise MembershipError(f"this host is not clean yet: mend what was said, then run `sampan {again}`")


def _drop_config(here: Host, path: Path) -> None:
    if agent_toml.remove(path):
        here.say(f"{path} is not joining's own, or was changed since: it stays")


def _is_ours(path: Path) -> bool:
    """Whether the state directory is: an installed host had it before it joined, and keeps it."""
    return not path.exists() or agent_toml.is_ours(path)


def _remains(config: AgentConfig) -> bool:
    return config.state_dir.is_dir() and any(config.state_dir.iterdir())


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{more}"
