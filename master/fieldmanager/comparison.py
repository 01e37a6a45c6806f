"""The difference between two states of an object, as sets of fields."""

from __future__ import annotations

from dataclasses import dataclass, field

from master.fieldmanager.fieldset import EMPTY, OWNED, FieldSet, Node


@dataclass(frozen=True, slots=True)
class Comparison:
    """The fields that only the new state has, that differ, and that only the old state has."""

    added: FieldSet = EMPTY
    modified: FieldSet = EMPTY
    removed: FieldSet = EMPTY

    def __bool__(self) -> bool:
        return bool(self.added or self.modified or self.removed)

    def without(self, fields: FieldSet) -> Comparison:
        """The comparison without some fields and all below them."""
        if not fields:
            return self
        return Comparison(self.added.without(fields), self.modified.without(fields), self.removed.without(fields))

    @property
    def set(self) -> FieldSet:
        """The fields whose value in the new state is not the one of the old state."""
        return self.modified | self.added


@dataclass(slots=True)
class Differences:
    """The differences below one field, while they are collected."""

    added: Node = field(default_factory=dict)
    modified: Node = field(default_factory=dict)
    removed: Node = field(default_factory=dict)

    def modify(self, element: str) -> None:
        """The value at the element differs as a whole."""
        self.modified[element] = OWNED

    def enter(self, element: str, below: Differences) -> None:
        """Takes over the differences below an element."""
        for mine, theirs in (
            (self.added, below.added),
            (self.modified, below.modified),
            (self.removed, below.removed),
        ):
            if theirs:
                mine[element] = theirs

    def comparison(self) -> Comparison:
        return Comparison(FieldSet(self.added), FieldSet(self.modified), FieldSet(self.removed))
