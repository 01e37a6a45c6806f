"""Joining a host that is a node of that cluster already: its certificate may have expired.

Owns what is done about that. The node keeps its name and its pods, and whatever comes of it, its agent runs on and
stays in the boot; what came to nothing changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from agent import host
from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import IdentityError, JoinRefused, MasterAway, StateLocked
from agent.identity.files import Identity
from cli import exits
from cli.host import membership_config
from cli.host.membership_host import Host, JoinRequest, MembershipError, paused
from client.trust import authorities


@dataclass(frozen=True, slots=True)
class Member:
    """A host that is a node."""

    config: AgentConfig
    """As it is to be."""
    text: str
    """Of its file; empty: the file says it all already."""
    identity: Identity


def member(request: JoinRequest) -> Member | None:
    """Who this host is, when that is a node of the very cluster. Raises MembershipError for another one."""
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
    config, text = membership_config.chosen(request.config_path, wanted, keep=True)
    return Member(config, text, identity)


def again(here: Host, request: JoinRequest, found: Member) -> tuple[AgentConfig, Identity]:
    """Configuration and identity as they are good now. Raises MembershipError, OSError, UnitFailed."""
    here.say(f"this host is node {found.identity.node_name} of that cluster already")
    if found.identity.not_after <= time.time():
        return found.config, _renew(here, request, found)
    if found.text:
        membership_config.write(request.config_path, found.text)
    return found.config, found.identity


def _renew(here: Host, request: JoinRequest, found: Member) -> Identity:
    """Another certificate in an expired one's place."""
    config = found.config
    pending = config.state_dir / files.PENDING_KEY
    was_pending = pending.exists()
    try:
        with paused(here), membership_config.written(request.config_path, found.text, unless=lambda: _is_good(config)):
            host.join(request.config_path, request.token, request.ca_hash)
    except BaseException as error:
        # A copy of the node's own key, by which a lost answer is asked for again too.
        if not was_pending:
            pending.unlink(missing_ok=True)
        if told := refused(error, "the certificate of this node has expired, and was not replaced"):
            raise told from error
        raise
    here.say("its certificate had expired, and is replaced")
    return loaded(config)


def _is_good(config: AgentConfig) -> bool:
    identity = kept(config)
    return identity is not None and identity.not_after > time.time()


def refused(error: BaseException, what: str) -> MembershipError | None:
    """The master's no, or its silence, for people; None for any other error."""
    match error:
        case MasterAway():
            return MembershipError(f"{what}: {error}; nothing was changed", exits.UNREACHABLE)
        case JoinRefused():
            return MembershipError(f"{what}: {error}; nothing was changed")
        case StateLocked():
            return MembershipError(f"{what}: {error}; stop it, then run this again", exits.BUSY)
    return None


def kept(config: AgentConfig) -> Identity | None:
    """The identity on disk, if there is one that can be used."""
    try:
        return files.load(config.state_dir)
    except IdentityError:
        return None


def loaded(config: AgentConfig) -> Identity:
    """The identity on disk. Raises MembershipError when there is none."""
    identity = files.load(config.state_dir)
    if identity is None:
        raise MembershipError(f"{config.state_dir}: the identity that was just written is gone; join again")
    return identity
