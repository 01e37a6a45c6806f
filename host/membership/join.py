"""Joining: this host becomes a node, its agent is started, and the command waits until the node is Ready.

Owns the order, so that every step can be interrupted and the same command completes it: nothing is written before the
preflight has passed, and what a refused join wrote is taken back. For a host that is a node already, see rejoin.py; the
messages to the master are the agent's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agent import departure, host
from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import JoinRefused
from agent.identity.files import Identity
from host.membership import agent_toml, rejoin
from host.membership.errors import MasterUnreachable, MembershipError
from host.membership.machine import Host, JoinRequest, changing
from host.membership.ready import wait_ready
from host.membership.rejoin import kept, loaded, refused
from host.preflight.facts import AGENT
from host.preflight.finding import Finding, errors, text
from host.preflight.gather import Subject

_UNREACHABLE: Final = frozenset({"master-answer", "master-trust"})
"""Findings with the exit code of a master that does not answer, or is not trusted."""


def join(this_host: Host, request: JoinRequest) -> None:
    """Make the host a node that is Ready. Raises MembershipError, IdentityError, HullError, OSError."""
    with changing(this_host):
        member = rejoin.member(request)
        if member is None:
            config, identity = _become(this_host, request)
            this_host.say(f"joined as node {identity.node_name}")
        else:
            config, identity = rejoin.again(this_host, request, member)
        if this_host.unit.installed:
            this_host.unit.start()
        elif not files.in_use(config.state_dir):
            this_host.say(f"no unit is installed: start the agent with `sampan agent --config {request.config_path}`")
            return
    standing = wait_ready(this_host, config, identity, timeout_s=request.timeout_s)
    name = identity.node_name
    if not standing.unschedulable:
        this_host.say(f"node {name} is Ready")
        return
    # A cordon that is not from `sampan leave`, or a master too old to undo that one. The API has no strategic merge
    # patch, which `kubectl uncordon` uses.
    undo = f"""kubectl patch node {name} --type=merge -p '{{"spec":{{"unschedulable":null}}}}'"""
    this_host.say(f"node {name} is Ready, and cordoned: it takes no new pods before {undo}")


def _become(this_host: Host, request: JoinRequest) -> tuple[AgentConfig, Identity]:
    config, new_text = agent_toml.chosen(request.config_path, request.settings)
    _check(this_host, config, request)
    pending, made = (config.state_dir / files.PENDING_KEY).exists(), not config.state_dir.exists()
    try:
        with agent_toml.written(request.config_path, new_text, unless=lambda: kept(config) is not None):
            host.join(request.config_path, request.token, request.ca_hash)
    except BaseException as error:
        if kept(config) is None and isinstance(error, JoinRefused | OSError) and not pending:
            _take_back(config, made=made)
        if refusal := refused(error, "not joined"):
            raise refusal from error
        raise
    return config, loaded(config)


def _check(this_host: Host, config: AgentConfig, request: JoinRequest) -> None:
    subject = Subject(
        role=AGENT,
        node_name=config.node_name,
        state_dir=config.state_dir,
        node_address=config.node_address,
        engine_socket=config.engine_socket,
        master=config.master,
        token=request.token,
        ca_hash=request.ca_hash,
        ports=request.ports,
    )
    findings = this_host.findings(subject)
    if findings:
        this_host.say(text(findings))
    bad = errors(findings, request.ignored)
    if bad:
        raise error_for(bad)(message_for(bad))


def message_for(bad: Iterable[Finding]) -> str:
    """Why the host was not joined, and how to ignore the findings."""
    ids = ",".join(dict.fromkeys(finding.id for finding in bad))
    return f"not joined, and nothing was changed: correct {ids}, or add --ignore-preflight-errors {ids}"


def error_for(bad: Iterable[Finding]) -> type[MembershipError]:
    return MasterUnreachable if _UNREACHABLE & {finding.id for finding in bad} else MembershipError


def _take_back(config: AgentConfig, *, made: bool) -> None:
    """Remove the key of a refused join. After a lost answer it stays: the next join asks with the same key."""
    if config.state_dir.is_dir() and not files.in_use(config.state_dir):
        departure.forget(config, directory=made)
