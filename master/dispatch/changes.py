"""What a commit changes for nodes: the changes that come in, and the keys of the items that they change."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from master.dispatch.items import Key, Section
from master.objects.meta import Object
from master.registry.resource import Resource


class Change(Protocol):
    """What the view reads of master.cache.Change; `type` is ADDED, MODIFIED or DELETED."""

    @property
    def kind(self) -> Resource[Object]: ...

    @property
    def type(self) -> str: ...

    @property
    def obj(self) -> Object: ...


@dataclass(slots=True)
class Dirty:
    """Changed keys: for all nodes, and for single nodes."""

    shared: set[Key] = field(default_factory=set)
    nodes: dict[str, set[Key]] = field(default_factory=dict)

    def mark(self, node: str, key: Key) -> None:
        self.nodes.setdefault(node, set()).add(key)

    def common(self, *, slices: bool) -> frozenset[Key]:
        """The keys for all nodes whose sessions have slices, or have none."""
        other = Section.ENDPOINTS if slices else Section.ENDPOINT_SLICE
        return frozenset(key for key in self.shared if key.section is not other)
