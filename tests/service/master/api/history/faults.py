"""Faults that are injected into a run, to prove that the judges find them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from master.store.interface import Compare, Delete, Put
from tests.service.master.api.history.disk import FILE, CommitFault
from tests.service.master.api.history.things import Json

Writes = Sequence[Put | Delete]
# Parts of streams before the first fault, and between faults.
_EVERY = 4


def commits(change: Callable[[Sequence[Compare], Writes], tuple[Sequence[Compare], Writes]]) -> CommitFault:
    """A faulty store: changes each commit of the objects that the writers share."""

    def changed(compares: Sequence[Compare], writes: Writes) -> tuple[Sequence[Compare], Writes]:
        shared = any(write.key.startswith(("/registry/services", "/registry/r", "/registry/conf")) for write in writes)
        own = any(write.key.endswith(("/kubernetes", "/kube-dns")) for write in writes)
        return change(compares, writes) if shared and not own else (compares, writes)

    return changed


def without_comparisons(compares: Sequence[Compare], writes: Writes) -> tuple[Sequence[Compare], Writes]:
    return [compare for compare in compares if not compare.mod_revision], writes


def without_new_unique_keys(compares: Sequence[Compare], writes: Writes) -> tuple[Sequence[Compare], Writes]:
    return compares, [w for w in writes if not (isinstance(w, Put) and w.key.startswith("/unique/"))]


def with_unique_keys_kept(compares: Sequence[Compare], writes: Writes) -> tuple[Sequence[Compare], Writes]:
    return compares, [w for w in writes if not (isinstance(w, Delete) and w.key.startswith("/unique/"))]


def without_the_object(compares: Sequence[Compare], writes: Writes) -> tuple[Sequence[Compare], Writes]:
    """Only half of the commit of a service is written."""
    unique = [write for write in writes if write.key.startswith("/unique/")]
    return compares, unique or writes


def never_for_configmaps(compares: Sequence[Compare], writes: Writes) -> tuple[Sequence[Compare], Writes]:
    mine = any(write.key.startswith("/registry/configmaps") for write in writes)
    return ([*compares, Compare("/nothing", 1)] if mine else compares), writes


@dataclass
class Now:
    """Applies a fault to each fourth part of the streams that it can be applied to."""

    change: Callable[[list[Json]], list[Json]]
    parts: int = 0

    def __call__(self, events: list[Json]) -> list[Json]:
        changed = self.change(events)
        if changed == events:
            return events
        self.parts += 1
        return changed if self.parts % _EVERY == 0 else events


def _changes(events: list[Json]) -> list[Json]:
    return [event for event in events if event["type"] not in ("BOOKMARK", "ERROR")]


def without_the_last(events: list[Json]) -> list[Json]:
    return [event for event in events if event not in _changes(events)[-1:]]


def with_the_last_twice(events: list[Json]) -> list[Json]:
    return events + _changes(events)[-1:]


def swapped(events: list[Json]) -> list[Json]:
    if len(events) < 2 or len(_changes(events)) < len(events):
        return events
    return [*events[:-2], events[-1], events[-2]]


def of_another_type(events: list[Json]) -> list[Json]:
    types = {"ADDED": "MODIFIED", "MODIFIED": "ADDED"}
    return [{**event, "type": types.get(event["type"], event["type"])} for event in events]


def never_deleted(events: list[Json]) -> list[Json]:
    return [event for event in events if event["type"] != "DELETED"]


def with_early_bookmarks(events: list[Json]) -> list[Json]:
    """Each bookmark has the revision of an event that comes later."""

    def early(event: Json) -> Json:
        meta = event["object"]["metadata"]
        later = {**meta, "resourceVersion": str(int(meta["resourceVersion"]) + 30)}
        return {**event, "object": {**event["object"], "metadata": later}}

    return [early(event) if event["type"] == "BOOKMARK" else event for event in events]


@dataclass
class OldLists:
    """Each list has the objects of the one before, as from a cache that is behind."""

    before: dict[str, list[Json]] = field(default_factory=dict)

    def __call__(self, answer: Json) -> Json:
        kind = str(answer.get("kind"))
        old, self.before[kind] = self.before.get(kind, answer.get("items", [])), answer.get("items", [])
        return {**answer, "items": old}


@dataclass
class OldDisk:
    """After its second death, the master finds the disk as it was after its first one."""

    first: Path | None = None
    done: bool = False

    def __call__(self, directory: Path) -> None:
        if self.first is None:
            self.first = directory.with_name("kept")
            shutil.copytree(directory, self.first)
        elif not self.done:
            self.done = True
            for file in directory.glob(f"{FILE}*"):
                file.unlink()
            shutil.copytree(self.first, directory, dirs_exist_ok=True)
