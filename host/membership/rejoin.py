"""Joining a host that is a node of that cluster already: its certificate may have expired, or the master have moved.

Owns what is done about that. The node keeps its name and its pods, and whatever comes of it, its agent runs on and
stays in the boot; what came to nothing changes nothing.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from agent import departure, host
from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import IdentityError, JoinRefused, MasterAway, StateLocked
from agent.identity.files import Identity
from client.trust import authorities
from host.membership import agent_toml
from host.membership.errors import HostBusy, MasterUnreachable, MembershipError
from host.membership.machine import POLL_S, Host, JoinRequest, alone, paused


@dataclass(frozen=True, slots=True)
class Member:
    """A host that is a node."""

    config: AgentConfig
    """As it is to be."""
    text: str
    """Of its file; empty: the file says it all already."""
    identity: Identity
    master: str
    """That its file names so far; empty: none."""


def member(request: JoinRequest) -> Member | None:
    """Who this host is, when that is a node of the very cluster. Raises MembershipError for another one."""
    state_dir = agent_toml.state_dir(request.config_path, request.wanted.get("state_dir", ""))
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
    config, text = agent_toml.chosen(request.config_path, wanted, keep=True)
    return Member(config, text, identity, agent_toml.master(request.config_path))


def again(here: Host, request: JoinRequest, found: Member) -> tuple[AgentConfig, Identity]:
    """Configuration and identity as they are good now. Raises MembershipError, OSError, UnitFailed."""
    here.say(f"this host is node {found.identity.node_name} of that cluster already")
    if found.identity.not_after <= time.time():
        return found.config, _renew(here, request, found)
    if elsewhere := _elsewhere(here, request, found):
        return found.config, _move(here, request, found, elsewhere)
    if found.text:
        agent_toml.write(request.config_path, found.text)
    return found.config, found.identity


def _renew(here: Host, request: JoinRequest, found: Member) -> Identity:
    """Another certificate in an expired one's place."""
    config = found.config
    pending = config.state_dir / files.PENDING_KEY
    was_pending = pending.exists()
    try:
        with paused(here), agent_toml.written(request.config_path, found.text, unless=lambda: _is_good(config)):
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


def _elsewhere(here: Host, request: JoinRequest, found: Member) -> str:
    """The address (host:port) at which the session is to be held from now on; empty: that of before.

    It is the one that was asked for, wherever the session is now: agent.toml may name it already, and the master may
    answer at both, and will not for long. Raises MembershipError.
    """
    present, host_asked = urlsplit(f"//{found.identity.session_address}"), urlsplit(found.config.master).hostname
    if host_asked == present.hostname:
        return ""
    address = f"{host_asked}:{present.port}"
    try:
        _prove(here, request, found, address)
    except MasterAway as error:
        remedy = (
            "The master has to listen there, and its certificate to name that address: "
            "advertise_addresses in its master.toml"
        )
        if found.config.master.lower() != found.master.rstrip("/").lower():
            raise MasterUnreachable(f"{error}; nothing was changed. {remedy}") from error
        # Joined that way, perhaps, through what carries the API only: then it is good as it is.
        here.say(f"{error}; the session stays at {found.identity.session_address}. {remedy}; then run this again")
        return ""
    return address


def _prove(here: Host, request: JoinRequest, found: Member, address: str) -> None:
    """That is the same master, by the CAs that this node trusts, and it knows the node. Raises MasterAway,
    MembershipError."""
    there = replace(found.identity, session_address=address)
    # A master of before goes by one address only: that by which the node is known, on the way to where its session is.
    here_as_known = replace(found.config, master=f"https://{found.identity.session_address}")
    ends_at = here.monotonic() + request.timeout_s
    while True:
        try:
            departure.standing(here_as_known, there)
            return
        except departure.Forgotten as error:
            raise MembershipError(
                f"the master at {address} does not take this host for node {there.node_name}: {error}; "
                "nothing was changed"
            ) from error
        except departure.AnotherMachine as error:
            # One that has just started knows from its store what this host was then: it may have booted since.
            if here.monotonic() >= ends_at:
                raise MembershipError(f"the master at {address} says: {error}; nothing was changed") from error
        here.sleep(POLL_S)


def _move(here: Host, request: JoinRequest, found: Member, address: str) -> Identity:
    """Hold the session at another address from now on."""

    def moved() -> bool:
        identity = kept(found.config)
        return identity is not None and identity.session_address == address

    with (
        paused(here),
        alone(found.config),
        agent_toml.written(request.config_path, found.text, unless=moved),
    ):
        # As it is by now: its agent may have had its certificate renewed.
        identity = replace(loaded(found.config), session_address=address)
        files.save(found.config.state_dir, identity)
    here.say(f"the session is at {address} from now on, no more at {found.identity.session_address}")
    return identity


def _is_good(config: AgentConfig) -> bool:
    identity = kept(config)
    return identity is not None and identity.not_after > time.time()


def refused(error: BaseException, what: str) -> MembershipError | None:
    """The master's no, or its silence, for people; None for any other error."""
    match error:
        case MasterAway():
            return MasterUnreachable(f"{what}: {error}; nothing was changed")
        case JoinRefused():
            return MembershipError(f"{what}: {error}; nothing was changed")
        case StateLocked():
            return HostBusy(f"{what}: {error}; stop it, then run this again")
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
