"""Joining: this host becomes a node, its agent is started, and its node is waited for until it is Ready.

Owns the order, so that every step can be interrupted and the same command goes on: nothing is written before the
preflight has passed, and what a refused join wrote is taken back. A host that is a node already is rejoin's
business; what a node says to the master is the agent's.
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

_AWAY: Final = frozenset({"master-answer", "master-trust"})
"""Findings whose exit code is that of a master that does not answer, or is not trusted."""


def join(here: Host, request: JoinRequest) -> None:
    """Make the host a node that is Ready. Raises MembershipError, IdentityError, SettingsError, OSError, UnitFailed."""
    with changing(here):
        member = rejoin.member(request)
        if member is None:
            config, identity = _become(here, request)
            here.say(f"joined as node {identity.node_name}")
        else:
            config, identity = rejoin.again(here, request, member)
        if here.unit.installed:
            here.unit.start()
        elif not files.in_use(config.state_dir):
            here.say(f"no unit is installed: start the agent with `sampan agent --config {request.config_path}`")
            return
    standing = wait_ready(here, config, identity, timeout_s=request.timeout_s)
    name = identity.node_name
    if not standing.unschedulable:
        here.say(f"node {name} is Ready")
        return
    # Not by `sampan leave`, or the master is older than that it takes it back. Strategic merge, of which
    # `kubectl uncordon` makes use, the API does not have.
    undo = f"""kubectl patch node {name} --type=merge -p '{{"spec":{{"unschedulable":null}}}}'"""
    here.say(f"node {name} is Ready, and cordoned: it takes no new pods before {undo}")


def _become(here: Host, request: JoinRequest) -> tuple[AgentConfig, Identity]:
    config, text = agent_toml.chosen(request.config_path, request.wanted)
    _check(here, config, request)
    pending, made = (config.state_dir / files.PENDING_KEY).exists(), not config.state_dir.exists()
    try:
        with agent_toml.written(request.config_path, text, unless=lambda: kept(config) is not None):
            host.join(request.config_path, request.token, request.ca_hash)
    except BaseException as error:
        if kept(config) is None and isinstance(error, JoinRefused | OSError) and not pending:
            _take_back(config, made=made)
        if told := refused(error, "not joined"):
            raise told from error
        raise
    return config, loaded(config)


def _check(here: Host, config: AgentConfig, request: JoinRequest) -> None:
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
    findings = here.findings(subject)
    if findings:
        here.say(text(findings))
    bad = errors(findings, request.ignored)
    if bad:
        raise error_for(bad)(refusal(bad))


def refusal(bad: Iterable[Finding]) -> str:
    names = ",".join(dict.fromkeys(each.id for each in bad))
    return f"not joined, and nothing was changed: mend {names}, or go on with --ignore-preflight-errors {names}"


def error_for(bad: Iterable[Finding]) -> type[MembershipError]:
    return MasterUnreachable if _AWAY & {each.id for each in bad} else MembershipError


def _take_back(config: AgentConfig, *, made: bool) -> None:
    """The key of a join that the master has refused; an answer that was lost is asked for again with the same key."""
    if config.state_dir.is_dir() and not files.in_use(config.state_dir):
        departure.forget(config, directory=made)
