"""Waiting until the node is Ready, or saying what keeps it from being so. Asks the master and the host's unit.

Changes nothing but that the node takes pods again after a `sampan leave` that was not gone through with.
"""

from __future__ import annotations

from agent import departure
from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import MasterAway
from agent.identity.files import Identity
from host.membership.errors import MasterUnreachable, MembershipError
from host.membership.machine import POLL_S, Host


def wait_ready(here: Host, config: AgentConfig, identity: Identity, *, timeout_s: float) -> departure.Standing:
    """How the node stands when it is Ready. Raises MembershipError that says what keeps it from being so."""
    ends_at = here.monotonic() + timeout_s
    seen: departure.Standing | None = None
    said = ""
    kind: type[MembershipError] = MembershipError
    while True:
        try:
            # Renewed while we wait, or wiped by an agent whose node was deleted.
            identity = files.load(config.state_dir) or identity
            seen, said = departure.standing(config, identity, uncordon=True), ""
        except MasterAway as error:
            said, kind = str(error), MasterUnreachable
        except departure.AnotherMachine as error:
            said, kind = f"the master says: {error} (a copy is cleaned by `sampan reset`)", MembershipError
        except departure.Forgotten as error:
            raise MembershipError(
                f"the master does not take this host for node {identity.node_name} any more: {error}; "
                "`sampan reset`, then join again"
            ) from error
        if seen and seen.removed:
            raise MembershipError(f"node {identity.node_name} was deleted: `sampan reset`, then join again")
        # The master may not have noticed yet that this host was away: the agent says itself that it runs.
        if seen and seen.ready and not said and (not here.unit.installed or here.unit.active()):
            return seen
        if here.monotonic() >= ends_at:
            reasons = "; ".join(_reasons(here, config, seen, said))
            raise (kind if said else MembershipError)(
                f"node {identity.node_name} is a member, and not Ready after {timeout_s:g} s: {reasons}"
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
