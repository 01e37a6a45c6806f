"""Judges the history by itself: revisions, whole commits, uids, generations, uniqueness."""

from __future__ import annotations

import json

from master.store.interface import KeyValue
from tests.service.master.api.history.log import Log, State, Step, key_of
from tests.service.master.api.history.things import Key, unique_keys
from tests.service.master.api.history.verdict import (
    GENERATION,
    HALF,
    LOST,
    REVISION,
    UID,
    UNIQUE,
    Findings,
)

_CONSTANT = ("uid", "name", "namespace", "creationTimestamp", "generateName")


def judge_commits(log: Log, keys: list[KeyValue], revision: int, findings: Findings) -> None:
    """`keys` and `revision`: the state of the file at the end."""
    findings.expect(REVISION, log.revisions == [*range(1, revision + 1)], f"{log.revisions} up to {revision}")
    _judge_end(log, keys, findings)
    _judge_incarnations(log, findings)
    _judge_uniqueness(log, findings)


def _judge_end(log: Log, keys: list[KeyValue], findings: Findings) -> None:
    objects = {key: State(json.loads(kv.value), kv.mod_revision) for kv in keys if (key := key_of(kv.key)) is not None}
    for key in objects.keys() | log.objects[-1].keys():
        there, logged = objects.get(key), log.objects[-1].get(key)
        findings.expect(LOST, there == logged, f"{key}: the file has {there}, its log ends with {logged}")
    unique = {kv.key: kv.value.decode() for kv in keys if kv.key.startswith("/unique/")}
    findings.expect(HALF, unique == log.unique[-1], f"the file has {unique}, its log ends with {log.unique[-1]}")


def _judge_incarnations(log: Log, findings: Findings) -> None:
    used: dict[str, Key] = {}
    for step in log.steps:
        before, after = step.before, step.after
        if after is None:
            continue
        if before is None:
            findings.expect(UID, bool(after.uid) and after.uid not in used, f"{step.key} at {step.revision}")
            used[after.uid] = step.key
            continue
        old, new = before.value["metadata"], after.value["metadata"]
        for name in _CONSTANT:
            same = old.get(name) == new.get(name)
            findings.expect(UID, same, f"{step.key} at {step.revision}: {name} {old.get(name)} -> {new.get(name)}")
        findings.expect(UID, not before.doomed or after.doomed, f"{step.key} at {step.revision}: is alive again")
        _judge_generation(step, before, after, findings)


def _judge_generation(step: Step, before: State, after: State, findings: Findings) -> None:
    old, new = (state.value["metadata"].get("generation", 0) for state in (before, after))
    dies = after.doomed and not before.doomed
    moves = bool(old) and (dies or before.value.get("spec") != after.value.get("spec"))
    findings.expect(GENERATION, new == old + moves, f"{step.key} at {step.revision}: {old} -> {new}, expected {moves}")


def _judge_uniqueness(log: Log, findings: Findings) -> None:
    for revision in range(1, log.end + 1):
        holders: dict[str, str] = {}
        for key, state in log.objects[revision].items():
            for unique in unique_keys(state.value):
                holder = f"{key.plural}/{key.namespace}/{key.name}"
                if unique in holders:
                    findings.add(UNIQUE, f"at {revision}: {unique}: {holder} and {holders[unique]}")
                holders[unique] = holder
        kept = log.unique[revision]
        if holders != kept:
            findings.add(UNIQUE, f"at {revision}: services hold {holders}, the store has {kept}")
            return
