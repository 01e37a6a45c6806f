"""Judges the writes: acknowledged ones are in the history where they claim to be, and refused ones are not."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from master.api.patches.mergepatch import merge
from tests.service.master.api.history.log import Log, State, Step, stored, version
from tests.service.master.api.history.record import Write
from tests.service.master.api.history.refusals import judge_refusal
from tests.service.master.api.history.things import STAMP, STATUS_STAMP, Json, Key
from tests.service.master.api.history.verdict import (
    HALF,
    LOST,
    REFUSED,
    REVISION,
    STALE,
    TRACE,
    UPDATE,
    Findings,
)

# Objects that the master itself makes when it starts.
OWN = (Key("services", "default", "kubernetes"), Key("services", "kube-system", "kube-dns"))


class WritesJudge:
    """Judges the writes of a run."""

    def __init__(self, log: Log, writes: list[Write], findings: Findings) -> None:
        self._log = log
        self._writes = writes
        self._findings = findings
        # The steps of each stamp; those that only mark or remove an object have none of their own.
        self._stamped: dict[int, list[Step]] = defaultdict(list)
        self._other: list[Step] = []
        for step in log.steps:
            stamp = _stamp(step)
            if stamp:
                self._stamped[stamp].append(step)
            elif step.key not in OWN:
                self._other.append(step)

    def judge(self) -> None:
        for write in self._writes:
            if write.verb == "delete":
                self._judge_deletion(write)
            elif write.accepted:
                self._judge_accepted(write)
            elif write.possible:
                self._judge_unknown(write)
            else:
                traces = self._stamped.get(write.stamp, [])
                self._findings.expect(TRACE, not traces, f"{write}: {traces}")
            if write.code >= 400:
                judge_refusal(self._log, write, self._findings)
        self._judge_order()
        self._judge_unstamped()
        self._judge_removals()

    # -- writes with a stamp --------------------------------------------------------------------------------------

    def _judge_accepted(self, write: Write) -> None:
        claimed = version(write.answer)
        steps = self._stamped.get(write.stamp, [])
        if not steps and write.releases:
            self._judge_release(write)
            return
        there = [step.revision for step in steps] == [claimed]
        self._findings.expect(LOST, there, f"{write} is at {claimed}; the history has {steps}")
        if not there:
            return
        step = steps[0]
        self._findings.expect(REVISION, write.began < claimed <= write.ended, f"{write}: {claimed}")
        after = step.after
        same = after is not None and after.value == stored(write.answer)
        self._findings.expect(LOST, same, f"{write}: the answer is {write.answer}, the history has {after}")
        self._judge_effect(write, step)

    def _judge_unknown(self, write: Write) -> None:
        """A write without an answer is in the history once, or not at all."""
        steps = self._stamped.get(write.stamp, [])
        self._findings.expect(HALF, len(steps) <= 1, f"{write}: {steps}")
        for step in steps:
            inside = write.began < step.revision <= write.ended
            self._findings.expect(LOST, inside, f"{write} is at {step.revision}, after the restart at {write.ended}")
            self._judge_effect(write, step)

    def _judge_effect(self, write: Write, step: Step) -> None:
        """What the write did is what it was to do to the state before it, and nothing else."""
        before, after = step.before, step.after
        if after is None:
            return
        if write.verb == "create":
            self._findings.expect(STALE, before is None, f"{write} replaced an object at {step.revision}")
            return
        if before is None:
            self._findings.add(STALE, f"{write} made an object at {step.revision}")
            return
        self._judge_precondition(write, before)
        expected = _expected(write, before.value)
        for part, value in expected.items():
            got = _part(after.value, part)
            case = f"{write} at {step.revision}: {part} is {got}, expected {value}"
            self._findings.expect(UPDATE, got == value, case)

    def _judge_precondition(self, write: Write, before: State) -> None:
        fits = write.version in ("", str(before.revision))
        self._findings.expect(STALE, fits, f"{write} of version {write.version} changed {before.revision}")
        self._findings.expect(STALE, write.uid in ("", before.uid), f"{write} of {write.uid} changed {before.uid}")

    def _judge_release(self, write: Write) -> None:
        """The update removed the last finalizer of an object that was being deleted, and so the object."""
        steps = [s for s in self._log.after(write.began, write.ended) if s.key == write.key and s.after is None]
        removed = any(step.before is not None and step.before.doomed for step in steps)
        self._findings.expect(LOST, removed, f"{write}: neither stored nor removed")

    # -- deletions ------------------------------------------------------------------------------------------------

    def _judge_deletion(self, write: Write) -> None:
        if not write.accepted:
            return
        if write.selection is not None:
            for item in write.answer["items"]:
                name, namespace = item["metadata"]["name"], item["metadata"]["namespace"]
                self._judge_deleted(write, Key(write.key.plural, namespace, name), item["metadata"]["uid"])
            return
        removed = write.answer["kind"] == "Status"
        uid = write.answer["details"]["uid"] if removed else write.answer["metadata"]["uid"]
        self._findings.expect(STALE, write.uid in ("", uid), f"{write} of {write.uid} removed {uid}")
        self._judge_deleted(write, write.key, uid, removed=removed)

    def _judge_deleted(self, write: Write, key: Key, uid: str, *, removed: bool = False) -> None:
        """The object was removed or marked while the request ran; or it was marked already."""
        steps = [s for s in self._log.after(write.began, write.ended) if s.key == key and _uid(s) == uid]
        gone = [step for step in steps if step.after is None]
        doomed = any(
            s is not None and s.uid == uid and s.doomed for s in self._log.states(key, write.began, write.ended)
        )
        self._findings.expect(LOST, bool(gone) or (doomed and not removed), f"{write}: {uid} is still there")
        for step in gone if removed and write.version else ():
            assert step.before is not None
            fits = str(step.before.revision) == write.version
            self._findings.expect(STALE, fits, f"{write} of version {write.version} removed {step.before.revision}")

    def _judge_removals(self) -> None:
        """No removal is acknowledged to two clients."""
        uids = Counter(
            write.answer["details"]["uid"]
            for write in self._writes
            if write.verb == "delete" and write.accepted and write.answer["kind"] == "Status"
        )
        for uid, count in uids.items():
            self._findings.expect(STALE, count == 1, f"{count} deletions removed {uid}")

    def _judge_unstamped(self) -> None:
        """Each removal and each mark has a request that may have made it."""
        for step in self._other:
            makers = [
                write
                for write in self._writes
                if write.began < step.revision <= write.ended
                and (write.verb == "delete" or write.releases)
                and (write.selection is not None or write.key == step.key)
                and write.possible
            ]
            self._findings.expect(TRACE, bool(makers), f"{step.key} at {step.revision}: no request changed it")

    def _judge_order(self) -> None:
        """A write that began after the answer to another one is after it in the history."""
        acknowledged = 0
        for write in sorted((w for w in self._writes if w.accepted and w.verb != "delete"), key=lambda w: w.ended):
            claimed = version(write.answer)
            if self._stamped.get(write.stamp):
                self._findings.expect(REVISION, claimed <= self._log.end, f"{write}: {claimed} does not exist")
                acknowledged = max(acknowledged, claimed)
        known = set(self._stamped) - {write.stamp for write in self._writes}
        self._findings.expect(REFUSED, not known, f"the history has writes that no client sent: {known}")


def _uid(step: Step) -> str:
    state = step.after or step.before
    return state.uid if state is not None else ""


def _stamps(value: Json) -> tuple[int, int]:
    written = value["metadata"].get("annotations", {}).get(STAMP, "0")
    return int(written), int(value.get("status", {}).get(STATUS_STAMP, 0))


def _stamp(step: Step) -> int:
    """The write that made the step; 0 for a step that brings no new stamp."""
    if step.after is None:
        return 0
    before = _stamps(step.before.value) if step.before is not None else (0, 0)
    new = [stamp for stamp, old in zip(_stamps(step.after.value), before, strict=True) if stamp != old]
    return max(new, default=0)


def _expected(write: Write, before: Json) -> dict[str, Any]:
    """Parts of the object after the write: those that it sets, and those that it must leave alone."""
    if write.verb == "status":
        # All metadata but the managers of fields, among which the writer of the status is now.
        meta = (*before["metadata"], "finalizers", "deletionTimestamp")
        names = [f"metadata.{name}" for name in meta if name not in ("managedFields", "labels", "annotations")]
        parts = {part: _part(before, part) for part in (*names, "spec", "data")}
        # As in Kubernetes, a write of a controller's status also writes these.
        labelled = write.body if write.key.plural == "replicationcontrollers" else before
        parts |= {part: _part(labelled, part) for part in ("metadata.labels", "metadata.annotations")}
        return {**parts, "status": write.body["status"]}
    body = merge(before, write.body) if write.verb == "patch" else write.body
    kept = {"status": _part(before, "status")}
    if write.verb == "patch":
        kept |= {part: _part(before, part) for part in ("spec", "data")}
    for part in ("metadata.annotations", "metadata.labels", "metadata.finalizers", "data", "spec.replicas"):
        kept[part] = _part(body, part)
    return kept


def _part(value: Json, path: str) -> Any:
    """A part of an object. What is empty is not stored."""
    part: Any = value
    for name in path.split("."):
        part = part.get(name) if isinstance(part, dict) else None
    return part or None
