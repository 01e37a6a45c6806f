"""The linear history of a run: the objects after each commit, from the log in the store's file.

The log is only a witness. The judges compare it with what clients saw, and with the keys that the file has at the end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from master.store.interface import Commit
from tests.service.master.api.history.things import KINDS, Json, Key, Selection


@dataclass(frozen=True, slots=True)
class State:
    """An object as it is stored, without resourceVersion, since `revision`."""

    value: Json
    revision: int

    @property
    def uid(self) -> str:
        return str(self.value["metadata"]["uid"])

    @property
    def doomed(self) -> bool:
        return "deletionTimestamp" in self.value["metadata"]


@dataclass(frozen=True, slots=True)
class Step:
    """What one commit did to one object."""

    revision: int
    key: Key
    before: State | None
    after: State | None


@dataclass(frozen=True, slots=True)
class Event:
    """A watch event: its type, its object, and the revision that it must have."""

    type: str
    key: Key
    revision: int
    value: Json

    def __str__(self) -> str:
        return f"{self.type} {self.key} at {self.revision}"


class Log:
    """The commits as steps of objects. `objects[r]` and `unique[r]`: the state after revision r."""

    def __init__(self, commits: list[Commit]) -> None:
        self.revisions = [commit.revision for commit in commits]
        self.objects: list[dict[Key, State]] = [{}]
        self.unique: list[dict[str, str]] = [{}]
        self.steps: list[Step] = []
        self._first: list[int] = [0]
        for number, commit in enumerate(commits, 1):
            self._add(number, commit)

    def _add(self, revision: int, commit: Commit) -> None:
        objects, unique = self.objects[-1], self.unique[-1]
        for path, value in commit.changes:
            if path.startswith("/unique/"):
                unique = {name: holder for name, holder in unique.items() if name != path}
                if value is not None:
                    unique[path] = value.decode()
            elif (key := key_of(path)) is not None:
                after = None if value is None else State(json.loads(value), revision)
                self.steps.append(Step(revision, key, objects.get(key), after))
                objects = {name: state for name, state in objects.items() if name != key}
                if after is not None:
                    objects[key] = after
        self.objects.append(objects)
        self.unique.append(unique)
        self._first.append(len(self.steps))

    @property
    def end(self) -> int:
        return len(self.objects) - 1

    def after(self, revision: int, upto: int | None = None) -> Iterator[Step]:
        """The steps after a revision, up to another one."""
        last = self.end if upto is None else min(upto, self.end)
        return iter(self.steps[self._first[min(revision, self.end)] : self._first[last]])

    def states(self, key: Key, began: int, ended: int) -> list[State | None]:
        """The states of an object during a request."""
        return [self.objects[r].get(key) for r in range(began, min(ended, self.end) + 1)]

    def selected(self, selection: Selection, revision: int) -> list[tuple[Key, State]]:
        """A list as of a revision."""
        objects = self.objects[revision]
        return sorted(
            ((key, state) for key, state in objects.items() if selection.has(key, state.value)),
            key=lambda pair: pair[0],
        )

    def events(self, selection: Selection, after: int) -> Iterator[Event]:
        """The events that a watcher must get after a revision."""
        for step in self.after(after):
            before = step.before is not None and selection.has(step.key, step.before.value)
            now = step.after is not None and selection.has(step.key, step.after.value)
            if now:
                assert step.after is not None
                yield Event("MODIFIED" if before else "ADDED", step.key, step.revision, step.after.value)
            elif before:
                assert step.before is not None
                yield Event("DELETED", step.key, step.revision, step.before.value)


def key_of(path: str) -> Key | None:
    """The object of a key of the store; None if it is not of a kind that the writers share."""
    if not path.startswith("/registry/"):
        return None
    _, _, plural, namespace, name = path.split("/", 4)
    return Key(plural, namespace, name) if plural in KINDS else None


def stored(value: Json) -> Json:
    """An object from an answer as it is stored: without its version."""
    meta = {name: part for name, part in value["metadata"].items() if name != "resourceVersion"}
    return {**value, "metadata": meta}


def version(value: Json) -> int:
    return int(value["metadata"].get("resourceVersion", 0))
