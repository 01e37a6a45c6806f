"""Judges refusals: at some moment of the request, the history has the state that justifies it."""

from __future__ import annotations

from tests.service.master.api.history.log import Log, State
from tests.service.master.api.history.record import Write
from tests.service.master.api.history.things import NODE_PORTS, WRITERS, unique_keys
from tests.service.master.api.history.verdict import REFUSED, Findings

_NOT_FOUND, _CONFLICT, _INVALID, _UNAVAILABLE = 404, 409, 422, 503

# What a service gets that asks for nothing: not the cluster's own address and that of its DNS.
_ADDRESSES = {f"/unique/clusterip/10.96.0.{number}" for number in range(2, 15) if number != 10}
_PORTS = {f"/unique/nodeport/TCP/{port}" for port in NODE_PORTS}


def judge_refusal(log: Log, write: Write, findings: Findings) -> None:
    """Adds a finding for a refusal without a reason."""
    states = log.states(write.key, write.began, write.ended)
    reasons = {
        _NOT_FOUND: lambda: write.verb != "create" and None in states,
        _CONFLICT: lambda: _in_conflict(write, states),
        _INVALID: lambda: _invalid(log, write, states),
        _UNAVAILABLE: lambda: _exhausted(log, write),
    }
    reason = reasons.get(write.code)
    message = write.answer.get("message")
    findings.expect(REFUSED, reason is not None and reason(), f"{write}: {message}; states: {states}")


def _in_conflict(write: Write, states: list[State | None]) -> bool:
    there = [state for state in states if state is not None]
    if write.verb == "create":
        return bool(there) and bool(write.key.name)
    stale = write.version and any(str(state.revision) != write.version for state in there)
    other = write.uid and any(state.uid != write.uid for state in there)
    return bool(stale or other)


def _invalid(log: Log, write: Write, states: list[State | None]) -> bool:
    if write.body.get("metadata", {}).get("finalizers") and any(state is not None and state.doomed for state in states):
        return True
    if write.key.plural != "services":
        return False
    address = write.body.get("spec", {}).get("clusterIP")
    if address and any(state is not None and state.value["spec"].get("clusterIP") != address for state in states):
        return True
    wanted = unique_keys({"kind": "Service", **write.body})
    own = f"services/{write.key.namespace}/{write.key.name}"
    return any(
        log.unique[revision].get(key, own) != own
        for revision in range(write.began, min(write.ended, log.end) + 1)
        for key in wanted
    )


def _exhausted(log: Log, write: Write) -> bool:
    """Whether all addresses or all node ports are held, or may be about to be held by the other writers."""
    if write.key.plural != "services":
        return False
    held = {key for revision in range(write.began, min(write.ended + 1, log.end) + 1) for key in log.unique[revision]}
    return any(len(keys - held) < WRITERS for keys in (_ADDRESSES, _PORTS))
