"""Joining a host that is a node of that cluster already: its certificate may have expired, or the master have moved.

The node keeps its name and its pods, and in any case its agent runs on and starts at boot. A command that fails changes
nothing.
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
    """As requested."""
    text: str
    """The new text of agent.toml; empty when it has everything already."""
    identity: Identity
    master: str
    """The master in agent.toml so far; empty for none."""


def member(request: JoinRequest) -> Member | None:
    """This host as a node of the requested cluster; None for no node. Raises MembershipError for another cluster's."""
    state_dir = agent_toml.state_dir(request.config_path, request.settings.get("state_dir", ""))
    identity = files.load(state_dir)
    if identity is None:
        return None
    # Two while the CA is being rotated.
    hashes = authorities(identity.ca.encode())
    if request.ca_hash.strip().lower() not in hashes:
        raise MembershipError(
            f"this host is node {identity.node_name} of another cluster, at {identity.session_address} "
            f"with CA {' or '.join(hashes)}: `sampan leave` first, or `sampan reset` if that cluster does not exist"
        )
    # From the identity, in case the configuration was removed.
    settings = {**request.settings, "state_dir": str(state_dir), "node_name": identity.node_name}
    config, text = agent_toml.chosen(request.config_path, settings, keep=True)
    return Member(config, text, identity, agent_toml.master(request.config_path))


def again(this_host: Host, request: JoinRequest, node: Member) -> tuple[AgentConfig, Identity]:
    """Bring configuration and identity up to date. Raises MembershipError, OSError, HullError."""
    this_host.say(f"this host is node {node.identity.node_name} of that cluster already")
    if node.identity.not_after <= time.time():
        return node.config, _renew(this_host, request, node)
    if address := _new_address(this_host, request, node):
        return node.config, _move(this_host, request, node, address)
    if node.text:
        agent_toml.write(request.config_path, node.text)
    return node.config, node.identity


def _renew(this_host: Host, request: JoinRequest, node: Member) -> Identity:
    """Get another certificate in place of an expired one."""
    config = node.config
    pending = config.state_dir / files.PENDING_KEY
    was_pending = pending.exists()
    try:
        with paused(this_host), agent_toml.written(request.config_path, node.text, unless=lambda: _is_good(config)):
            host.join(request.config_path, request.token, request.ca_hash)
    except BaseException as error:
        # A copy of the node's own key, with which the next join asks, too.
        if not was_pending:
            pending.unlink(missing_ok=True)
        if refusal := refused(error, "the certificate of this node has expired, and was not replaced"):
            raise refusal from error
        raise
    this_host.say("its certificate had expired, and is replaced")
    return loaded(config)


def _new_address(this_host: Host, request: JoinRequest, node: Member) -> str:
    """The session's new address (host:port); empty when it stays as it is. Raises MembershipError.

    It is the requested one even when agent.toml names that already and the master still answers at the former address,
    which it may not do for long.
    """
    present, requested = urlsplit(f"//{node.identity.session_address}"), urlsplit(node.config.master).hostname
    if requested == present.hostname:
        return ""
    address = f"{requested}:{present.port}"
    try:
        _verify(this_host, request, node, address)
    except MasterAway as error:
        remedy = (
            "The master has to listen there, and its certificate to name that address: "
            "advertise_addresses in its master.toml"
        )
        if node.config.master.lower() != node.master.rstrip("/").lower():
            raise MasterUnreachable(f"{error}; nothing was changed. {remedy}") from error
        # The node may have joined through a proxy that forwards the API only: then nothing is wrong.
        this_host.say(f"{error}; the session stays at {node.identity.session_address}. {remedy}; then run this again")
        return ""
    return address


def _verify(this_host: Host, request: JoinRequest, node: Member, address: str) -> None:
    """Check that the same master answers there, by the node's trusted CAs, and that it knows the node.

    Raises MasterAway, MembershipError.
    """
    identity = replace(node.identity, session_address=address)
    # A master of an earlier version knows the node by one address only: that of its route to the present session.
    config = replace(node.config, master=f"https://{node.identity.session_address}")
    ends_at = this_host.monotonic() + request.timeout_s
    while True:
        try:
            departure.standing(config, identity)
            return
        except departure.Forgotten as error:
            raise MembershipError(
                f"the master at {address} does not accept this host as node {identity.node_name}: {error}; "
                "nothing was changed"
            ) from error
        except departure.AnotherMachine as error:
            # A master that has just started knows the machine from its store: this host may have booted since.
            if this_host.monotonic() >= ends_at:
                raise MembershipError(f"the master at {address} says: {error}; nothing was changed") from error
        this_host.sleep(POLL_S)


def _move(this_host: Host, request: JoinRequest, node: Member, address: str) -> Identity:
    """Hold the session at another address from now on."""

    def moved() -> bool:
        identity = kept(node.config)
        return identity is not None and identity.session_address == address

    with (
        paused(this_host),
        alone(node.config),
        agent_toml.written(request.config_path, node.text, unless=moved),
    ):
        # Loaded again: the agent may have renewed its certificate.
        identity = replace(loaded(node.config), session_address=address)
        files.save(node.config.state_dir, identity)
    this_host.say(f"the session is at {address} from now on, no longer at {node.identity.session_address}")
    return identity


def _is_good(config: AgentConfig) -> bool:
    identity = kept(config)
    return identity is not None and identity.not_after > time.time()


def refused(error: BaseException, what: str) -> MembershipError | None:
    """The master's refusal, or its silence, as an error for people; None for any other error."""
    match error:
        case MasterAway():
            return MasterUnreachable(f"{what}: {error}; nothing was changed")
        case JoinRefused():
            return MembershipError(f"{what}: {error}; nothing was changed")
        case StateLocked():
            return HostBusy(f"{what}: {error}; stop it, then run this again")
    return None


def kept(config: AgentConfig) -> Identity | None:
    """The identity on disk, if there is a usable one."""
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
