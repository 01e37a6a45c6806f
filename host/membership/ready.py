"""Waits until the node is Ready, or reports why it is not. Asks the master and the host's unit.

Changes one thing only: a node that an unfinished `sampan leave` cordoned takes pods again.
"""

from __future__ import annotations

from agent import departure
from agent.config import AgentConfig
from agent.identity import files
from agent.identity.errors import MasterAway
from agent.identity.files import Identity
from host.membership.errors import MasterUnreachable, MembershipError
from host.membership.machine import POLL_S, Host


def wait_ready(this_host: Host, config: AgentConfig, identity: Identity, *, timeout_s: float) -> departure.Standing:
    """The node's standing when it is Ready. Raises MembershipError with the reasons when it is not in time."""
    ends_at = this_host.monotonic() + timeout_s
    standing: departure.Standing | None = None
    problem = ""
    kind: type[MembershipError] = MembershipError
    while True:
        try:
            # It may be renewed meanwhile, or removed by an agent whose node was deleted.
            identity = files.load(config.state_dir) or identity
            standing, problem = departure.standing(config, identity, uncordon=True), ""
        except MasterAway as error:
            problem, kind = str(error), MasterUnreachable
        except departure.AnotherMachine as error:
            problem, kind = f"the master says: {error} (on a copy, run `sampan reset`)", MembershipError
        except departure.Forgotten as error:
            raise MembershipError(
                f"the master does not accept this host as node {identity.node_name} any more: {error}; "
                "`sampan reset`, then join again"
            ) from error
        if standing and standing.removed:
            raise MembershipError(f"node {identity.node_name} was deleted: `sampan reset`, then join again")
        # The master may still report the agent from before a restart; the unit knows whether the present one runs.
        if standing and standing.ready and not problem and (not this_host.unit.installed or this_host.unit.active()):
            return standing
        if this_host.monotonic() >= ends_at:
            reasons = "; ".join(_reasons(this_host, config, standing, problem))
            raise (kind if problem else MembershipError)(
                f"node {identity.node_name} is a member, but not Ready after {timeout_s:g} s: {reasons}"
            )
        this_host.sleep(POLL_S)


def _reasons(this_host: Host, config: AgentConfig, standing: departure.Standing | None, problem: str) -> list[str]:
    reasons = [problem] if problem else []
    if standing and not standing.registered:
        reasons.append("its agent has not registered with the master yet")
    if standing:
        reasons += [
            f"{condition.type} is {condition.status}: {condition.message or condition.reason}"
            for condition in standing.conditions
            if condition.status != ("True" if condition.type == "Ready" else "False")
        ]
    if not files.in_use(config.state_dir):
        reasons.append("the agent does not run")
    if state := this_host.unit.state():
        reasons.append(f"systemd says {state}")
    if line := this_host.unit.last_line():
        reasons.append(f"last line of the agent's journal: {line}")
    return reasons
