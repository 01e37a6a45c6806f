"""What the words of a command line mean to the server: resources, names and paths."""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cli.objects.references import Reference

if TYPE_CHECKING:
    from client.catalog import Catalog
    from client.discovery import Resource
    from client.rest import RestClient


@dataclass(frozen=True, slots=True)
class Target:
    """Objects of one resource in one place; an empty namespace means all. Without names: all that are selected."""

    resource: "Resource"
    namespace: str
    names: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The only name."""
        return self.names[0]

    @property
    def collection(self) -> str:
        return self.resource.path(self.namespace)

    def path(self, name: str, subresource: str = "") -> str:
        return self.resource.path(self.namespace, name, subresource=subresource)

    def title(self, name: str) -> str:
        """`pod/web`, `deployment.apps/web`."""
        return f"{self.resource.title}/{name}"


def targets(catalog: "Catalog", references: Sequence[Reference], namespace: str) -> list[Target]:
    """One target for each resource. All types are looked up before a command does anything. Raises UnknownType."""
    names: dict[Resource, list[str]] = {}
    for reference in references:
        for resource in _resources(catalog, reference):
            names.setdefault(resource, []).extend(reference.names)
    return [
        Target(resource, namespace if resource.namespaced else "", tuple(named)) for resource, named in names.items()
    ]


def namespace_of(options: argparse.Namespace, client: "RestClient") -> str:
    """The namespace that the options mean; empty for all."""
    if getattr(options, "all_namespaces", False):
        return ""
    return str(options.namespace or client.access.namespace)


def selected(client: "RestClient", found: Sequence[Target], query: dict[str, str]) -> Iterator[Target]:
    """A target for each object: those with the names, or without names all that the query selects."""
    for target in found:
        if target.names:
            yield from (Target(target.resource, target.namespace, (name,)) for name in target.names)
            continue
        for item in client.get(target.collection, query)["items"]:
            metadata = item["metadata"]
            yield Target(target.resource, metadata.get("namespace") or "", (metadata["name"],))


def _resources(catalog: "Catalog", reference: Reference) -> "list[Resource]":
    members = catalog.of_category(reference.word.lower()) if not reference.names else []
    return members or [catalog.find(reference.word)]
