"""Passive kinds: resources without models, each read from a file that declares what is peculiar to it.

A passive kind is stored, checked and served like any other, but has no controller and no typed model. The file is JSON,
and `Declaration` has its fields. The types come from the facts of the Kubernetes API (master/schema/facts.py). What a
declaration cannot say is code, which gets the JSON of the objects: a `Supplement`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from master.registry import declaredcolumns, untyped
from master.registry.computed import Computed
from master.registry.declaration import Declaration, TypeDeclaration, VersionDeclaration
from master.registry.declaredcolumns import CellOf
from master.registry.declaredtypes import DeclaredTypes
from master.registry.resource import Resource, Version
from master.registry.subresource import Subresource
from master.registry.untyped import UntypedStrategy
from master.schema import forms
from master.schema.data import Data, Untyped
from master.schema.facts import facts
from master.schema.tree import Struct

TYPES_FILE: Final = "types.json"
# The parts that objects of Kubernetes' kinds always have.
_PARTS: Final = ("spec", "status")
Convert = Callable[[dict[str, Any]], dict[str, Any]]
_types_of = msgspec.json.Decoder(dict[str, TypeDeclaration]).decode


@dataclass(frozen=True, slots=True)
class Supplement:
    """What a declaration cannot say about a kind.

    `strategy`: rules about several fields. `cells`: functions for columns, by their names. `subresources`: besides the
    status. `conversions`: for each further version, the functions from and to the stored one, which get and return the
    JSON of whole objects. `computed` makes the objects of a kind that is not stored.
    """

    strategy: type[UntypedStrategy] = UntypedStrategy
    cells: Mapping[str, CellOf] = field(default_factory=dict)
    subresources: tuple[Subresource, ...] = ()
    conversions: Mapping[str, tuple[Convert, Convert]] = field(default_factory=dict)
    computed: Computed | None = None


class Passive:
    """Makes the resources of declarations. `types`: the rules of types that several kinds use, by name."""

    def __init__(self, types: Mapping[str, TypeDeclaration], supplements: Mapping[str, Supplement]) -> None:
        self._declared = types
        self._supplements = supplements
        self._types: DeclaredTypes | None = None

    def resource(self, declared: Declaration) -> Resource[Untyped]:
        """The resource of a declaration. Raises AttributeError for an unknown form of names.

        The types are looked up when they are first needed.
        """
        schema = Data(declared.kind, partial(self._tree, declared, declared), always=_PARTS)
        name = f"{declared.plural}.{declared.group}" if declared.group else declared.plural
        supplement = self._supplements.get(name, Supplement())
        strategy = supplement.strategy(
            schema,
            forms.named(declared.name_form),
            reserved=declared.reserved_prefixes,
            has_status=declared.status,
            keeps_metadata=declared.status_keeps_metadata,
            moves=declared.generation == "counted",
            no_effect=declared.no_effect,
        )
        return Resource(
            kind=declared.kind,
            plural=declared.plural,
            schema=schema,
            group=declared.group,
            version=declared.version,
            served=tuple(self._version(declared, version, supplement) for version in declared.versions),
            namespaced=declared.namespaced,
            short_names=declared.short_names,
            categories=declared.categories,
            verbs=declared.verbs,
            subresources=(*((untyped.status(strategy),) if declared.status else ()), *supplement.subresources),
            strategy=strategy,
            table=untyped.table([declaredcolumns.column(column, supplement.cells) for column in declared.columns]),
            fields={path: _selector(path) for path in declared.field_selectors},
            has_generation=declared.generation != "none",
            needs_version=declared.needs_version,
            computed=supplement.computed,
        )

    def _version(self, declared: Declaration, version: VersionDeclaration, supplement: Supplement) -> Version:
        from_stored, to_stored = supplement.conversions[version.name]
        schema = Data(declared.kind, partial(self._tree, declared, version), always=_PARTS)
        return Version(version.name, schema, from_stored, to_stored, old=version.old)

    def _tree(self, declared: Declaration, version: Declaration | VersionDeclaration) -> Struct:
        """The types of a version with its rules. Raises ValueError for the path of a field that does not exist."""
        if self._types is None:
            self._types = DeclaredTypes(facts(), self._declared)
        return replace(self._types.struct(version.type, version.fields), description=declared.description)


def read(content: bytes) -> Resource[Untyped]:
    """The resource of a file's content, without rules of shared types. Raises ValueError."""
    return Passive({}, {}).resource(msgspec.json.decode(content, type=Declaration))


def load(folder: Path, supplements: Mapping[str, Supplement]) -> Iterator[Resource[Untyped]]:
    """The resources of all files `<group>/<plural>.json` of a folder, by path. Raises ValueError.

    The folder's `types.json` has the rules of types that several kinds use. `supplements`: by plural with group.
    """
    types = folder / TYPES_FILE
    passive = Passive(_types_of(types.read_bytes()) if types.exists() else {}, supplements)
    decoder = msgspec.json.Decoder(Declaration)
    for path in sorted(folder.glob("*/*.json")):
        try:
            yield passive.resource(decoder.decode(path.read_bytes()))
        except (ValueError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from error


def _selector(path: str) -> Callable[[Untyped], str]:
    values_of = declaredcolumns.values_of(path)

    def read_field(obj: Untyped) -> str:
        values = values_of(obj)
        if not values:
            return ""
        return str(values[0]).lower() if isinstance(values[0], bool) else str(values[0])

    return read_field
