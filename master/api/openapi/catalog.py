"""The catalogue: the types of all resources by the names of their definitions, and the kinds that they are.

A type may be found in several trees: pods are also in the templates of controllers. The tree that tells most about it
is the one that is published, because there can be only one definition of a name.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, Final

from master.api.openapi.names import Scope, definition_name
from master.registry.registry import Registry
from master.registry.resource import Resource, Version
from master.registry.subresource import Action, Subresource, View
from master.schema.facts import facts
from master.schema.tree import Anything, Field, Items, Map, Node, Struct, Text

# Types that operations use and that are in no resource. Of these, the first two are kinds.
_SHARED: Final = ("DeleteOptions", "Status", "ListMeta")
_SHARED_KINDS: Final = _SHARED[:2]


@dataclass(frozen=True, slots=True)
class GroupVersionKind:
    """A kind of an API version."""

    group: str
    version: str
    kind: str

    def document(self) -> dict[str, str]:
        """The value of the extension that names a kind."""
        return {"group": self.group, "kind": self.kind, "version": self.version}


@dataclass(frozen=True, slots=True)
class Definition:
    """A type that has a definition. `scope`: where it was found. `required`: fields that Kubernetes always expects."""

    struct: Struct
    scope: Scope
    required: frozenset[str]


@dataclass(slots=True)
class Catalog:
    """All that documents are made of."""

    definitions: dict[str, Definition] = field(default_factory=dict)
    kinds: dict[str, list[GroupVersionKind]] = field(default_factory=dict)
    """The kinds that a definition is."""
    values: set[str] = field(default_factory=set)
    """The definitions of types that can be any JSON."""
    lists: dict[str, str] = field(default_factory=dict)
    """The definitions of lists, and those of their items."""
    served: list[tuple[Resource[Any], Version]] = field(default_factory=list)
    facts: frozenset[str] = frozenset()
    """The names of the types of Kubernetes' API."""

    def name(self, node: Struct | Anything, scope: Scope) -> str:
        """The name of a type's definition; empty if it has none."""
        return definition_name(node.name, scope, self.facts) if node.name else ""

    def add(self, resource: Resource[Any], version: Version) -> None:
        """Adds a resource in one version, with its subresources."""
        scope = Scope(resource.group_of(version), version.name)
        self.served.append((resource, version))
        root = self._root(version.schema.full_tree, scope, GroupVersionKind(*scope, resource.kind))
        if "list" in resource.verbs:
            self.lists[f"{root}List"] = root
            self._is(f"{root}List", GroupVersionKind(*scope, f"{resource.kind}List"))
        for subresource in resource.subresources:
            if isinstance(subresource, View | Action):
                self._root(subresource.schema.full_tree, scope, kind_of(resource, version, subresource))

    def share(self, struct: Struct, kind: str) -> None:
        """Adds a type that all resources use, which may be a kind."""
        scope = Scope("", "v1")
        if kind:
            base = {name: Field(name, Text()) for name in ("apiVersion", "kind")}
            struct = replace(struct, fields={**base, **struct.fields})
            self._is(self.name(struct, scope), GroupVersionKind(*scope, kind))
        self.collect(struct, scope)

    def root(self, resource: Resource[Any], version: Version, subresource: Subresource | None = None) -> str:
        """The definition of the objects of a resource, or of the bodies of a subresource."""
        schema = subresource.schema if isinstance(subresource, View | Action) else version.schema
        return self.name(schema.full_tree, Scope(resource.group_of(version), version.name))

    def _root(self, struct: Struct, scope: Scope, kind: GroupVersionKind) -> str:
        self.collect(struct, scope)
        name = self.name(struct, scope)
        self._is(name, kind)
        return name

    def _is(self, name: str, kind: GroupVersionKind) -> None:
        kinds = self.kinds.setdefault(name, [])
        if kind not in kinds:
            kinds.append(kind)

    def collect(self, struct: Struct, scope: Scope) -> None:
        """Adds a type and all types in it."""
        seen: set[Struct] = set()
        waiting: list[Node] = [struct]
        while waiting:
            node = _inner(waiting.pop())
            if isinstance(node, Anything) and node.name:
                self.values.add(self.name(node, scope))
            if not isinstance(node, Struct) or node in seen:
                continue
            seen.add(node)
            name = self.name(node, scope)
            known = self.definitions.get(name)
            if name and (known is None or _richness(node) > _richness(known.struct)):
                self.definitions[name] = Definition(node, scope, self._required(node))
            waiting += [part.node for part in node.fields.values()]

    def _required(self, struct: Struct) -> frozenset[str]:
        """The required fields, also those that a typed model does not insist on."""
        fact = facts().struct(struct.name).fields if struct.name in self.facts else {}
        return frozenset(
            name for name, part in struct.fields.items() if part.required or (name in fact and fact[name].required)
        )


def kind_of(resource: Resource[Any], version: Version, subresource: Subresource | None) -> GroupVersionKind:
    """The kind of the bodies of a resource or of its subresource."""
    served = None if subresource is None else subresource.served
    if served is None:
        return GroupVersionKind(resource.group_of(version), version.name, resource.kind)
    if served.version:
        return GroupVersionKind(served.group, served.version, served.kind)
    return GroupVersionKind(resource.group_of(version), version.name, served.kind)


def _inner(node: Node) -> Node:
    while isinstance(node, Items | Map):
        node = node.item
    return node


def _richness(struct: Struct) -> tuple[int, int]:
    """How much a tree tells about a type: its fields, and the descriptions of these and of itself."""
    told = sum(bool(part.description) for part in struct.fields.values())
    return len(struct.fields), told + bool(struct.description)


async def catalog_of(registry: Registry) -> Catalog:
    """The catalogue of a registry: its resources in the versions that it lists.

    Trees are made on the event loop, because the facts may not be read by two threads. Other tasks run in between.
    """
    catalog = Catalog(facts=frozenset(facts().types))
    for name in _SHARED:
        catalog.share(facts().struct(f"meta.v1.{name}"), name if name in _SHARED_KINDS else "")
    # A list, because the registry may change meanwhile.
    served = [(resource, version) for resource in registry for version in registry.listed(resource)]
    for resource, version in served:
        catalog.add(resource, version)
        await asyncio.sleep(0)
    return catalog
