"""Joining: this host becomes a node, its agent is started, and its node is waited for until it is Ready.

Owns the order, so that every step can be interrupted and the same command goes on: nothing is written before the
preflight has passed, and what a refused join wrote is taken back. What a node says to the master is the agent's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agent import departure, host
from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import IdentityError, JoinRefused, MasterAway
from agent.identity.files import Identity
from cli import exits
from cli.host import membership_config
from cli.host.membership_unit import AgentUnit
from cli.host.preflight.facts import AGENT
from cli.host.preflight.finding import Finding, errors, text
from cli.host.preflight.gather import Subject, gather
from cli.host.preflight.judges import judge
from client.trust import authorities

POLL_S: Final = 0.2
_AWAY: Final = frozenset({"master-answer", "master-trust"})
"""Findings whose exit code is that of a master that does not answer, or is not trusted."""


class MembershipError(Exception):
    """One line, with the way out."""

    def __init__(self, message: str, code: int = exits.FAILED) -> None:
        super().__init__(message)
        self.code = code


def preflight(subject: Subject) -> list[Finding]:
    """Look and judge."""
    return judge(gather(subject))


@dataclass(frozen=True, slots=True)
class Host:
    """What joining and leaving need of the world; tests bring their own."""

    unit: AgentUnit
    say: Callable[[str], None]
    sleep: Callable[[float], None] = time.sleep
    monotonic: Callable[[], float] = time.monotonic
    findings: Callable[[Subject], list[Finding]] = preflight


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """What a person asked for."""

    config_path: Path
    wanted: dict[str, str]
    """Settings of agent.toml that were asked for; `master` is a URL, and always there."""
    token: str
    ca_hash: str
    ignored: Sequence[str] = ()
    timeout_s: float = 60.0
    ports: tuple[str, ...] = field(default=("4789/udp",))


def join(here: Host, request: JoinRequest) -> None:
    """Make the host a node that is Ready. Raises MembershipError, IdentityError, ConfigError, OSError."""
    known = _member(request)
    if known is None:
        config, identity = _become(here, request)
        here.say(f"joined as node {identity.node_name}")
    else:
        config, identity = known
        here.say(f"this host is node {identity.node_name} of that cluster already")
        if identity.not_after <= time.time():
            identity = _renew(here, config, request)
    if here.unit.installed:
        here.unit.start()
    elif not files.in_use(config.state_dir):
        here.say(f"no unit is installed: start the agent with `sampan agent --config {request.config_path}`")
        return
    wait_ready(here, config, identity, timeout_s=request.timeout_s)
    here.say(f"node {identity.node_name} is Ready")


def _member(request: JoinRequest) -> tuple[AgentConfig, Identity] | None:
    """Who this host is already, when that is a node of the very cluster. Raises MembershipError for another one."""
    state_dir = membership_config.state_dir(request.config_path, request.wanted.get("state_dir", ""))
    identity = files.load(state_dir)
    if identity is None:
        return None
    # Two while the CA is being rotated.
    found = authorities(identity.ca.encode())
    if request.ca_hash.strip().lower() not in found:
        raise MembershipError(
            f"this host is node {identity.node_name} of another cluster, at {identity.session_address} "
            f"with CA {' or '.join(found)}: `sampan leave` first, or `sampan reset` where that cluster is no more"
        )
    # The identity says who we are, also where somebody took the configuration away.
    wanted = {**request.wanted, "state_dir": str(state_dir), "node_name": identity.node_name}
    config, written = membership_config.chosen(request.config_path, wanted)
    if written:
        membership_config.write(request.config_path, written)
    return config, identity


def _renew(here: Host, config: AgentConfig, request: JoinRequest) -> Identity:
    """Another certificate in an expired one's place; the node keeps its name and its pods."""
    if here.unit.installed:
        here.unit.stop()
    host.join(request.config_path, request.token, request.ca_hash)
    here.say("its certificate had expired, and is replaced")
    return _written(config)


def _become(here: Host, request: JoinRequest) -> tuple[AgentConfig, Identity]:
    config, written = membership_config.chosen(request.config_path, request.wanted)
    _check(here, config, request)
    pending, made = (config.state_dir / files.PENDING_KEY).exists(), not config.state_dir.exists()
    before = request.config_path.read_text() if written and request.config_path.exists() else None
    try:
        if written:
            membership_config.write(request.config_path, written)
        host.join(request.config_path, request.token, request.ca_hash)
    except BaseException as error:
        identity = _kept(config)
        if identity is None:
            _take_back(
                config, request.config_path, written, before, pending=pending, made=made, refused=_is_refusal(error)
            )
        if isinstance(error, MasterAway):
            raise MembershipError(f"not joined: {error}; nothing was changed", exits.UNREACHABLE) from error
        if isinstance(error, JoinRefused):
            raise MembershipError(f"not joined: {error}; nothing was changed") from error
        raise
    return config, _written(config)


def _written(config: AgentConfig) -> Identity:
    identity = files.load(config.state_dir)
    if identity is None:
        raise MembershipError(f"{config.state_dir}: the identity that was just written is gone; join again")
    return identity


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
        raise MembershipError(refusal(bad), code_of(bad))


def refusal(bad: Iterable[Finding]) -> str:
    names = ",".join(dict.fromkeys(each.id for each in bad))
    return f"not joined, and nothing was changed: mend {names}, or go on with --ignore-preflight-errors {names}"


def code_of(bad: Iterable[Finding]) -> int:
    return exits.UNREACHABLE if _AWAY & {each.id for each in bad} else exits.FAILED


def _is_refusal(error: BaseException) -> bool:
    return isinstance(error, JoinRefused | OSError)


def _kept(config: AgentConfig) -> Identity | None:
    try:
        return files.load(config.state_dir)
    except IdentityError:
        return None


def _take_back(
    config: AgentConfig, path: Path, written: str, before: str | None, *, pending: bool, made: bool, refused: bool
) -> None:
    """What a join that came to nothing wrote: the configuration always; the key only when the master has said no, as
    an answer that was lost is asked for again with the same key."""
    if written and before is None:
        membership_config.unlink(path)
    elif written and before is not None:
        membership_config.write(path, before)
    if refused and not pending and config.state_dir.is_dir() and not files.in_use(config.state_dir):
        departure.forget(config, directory=made)


def wait_ready(here: Host, config: AgentConfig, identity: Identity, *, timeout_s: float) -> None:
    """Raises MembershipError that says what keeps the node from being Ready."""
    ends_at = here.monotonic() + timeout_s
    seen: departure.Standing | None = None
    said = ""
    while True:
        try:
            # Renewed while we wait, or wiped by an agent whose node was deleted.
            identity = files.load(config.state_dir) or identity
            seen, said = departure.standing(identity), ""
        except MasterAway as error:
            said = str(error)
        except departure.Forgotten as error:
            raise MembershipError(
                f"the master does not take this host for node {identity.node_name} any more: {error}; "
                "`sampan reset`, then join again"
            ) from error
        if seen and seen.removed:
            raise MembershipError(f"node {identity.node_name} was deleted: `sampan reset`, then join again")
        # The master may not have noticed yet that this host was away: the agent says itself that it runs.
        if seen and seen.ready and not said and (not here.unit.installed or here.unit.active()):
            return
        if here.monotonic() >= ends_at:
            raise MembershipError(
                f"node {identity.node_name} is a member, and not Ready after {timeout_s:g} s: "
                + "; ".join(_reasons(here, config, seen, said)),
                exits.UNREACHABLE if said else exits.FAILED,
            )
        here.sleep(POLL_S)


def _reasons(here: Host, config: AgentConfig, seen: departure.Standing | None, said: str) -> list[str]:
    found = [said] if said else []
    if seen and not seen.registered:
        found.append("its agent has not spoken to the master yet")
    if seen:
        found += [
            f"{each.type} is {each.status}: {each.message or each.reason}"
            for each in seen.conditions
            if each.status != ("True" if each.type == "Ready" else "False")
        ]
    if not files.in_use(config.state_dir):
        found.append("the agent does not run")
    if state := here.unit.state():
        found.append(f"systemd says {state}")
    if line := here.unit.last_line():
        found.append(f"the agent's last word: {line}")
    return found
