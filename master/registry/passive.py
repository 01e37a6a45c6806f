"""Passive kinds: resources without code, each read from a file that declares what is peculiar to it.

A passive kind is stored, checked and served like any other, but has no controller and no typed model. The file is JSON,
and `Declaration` has its fields. The types come from the facts of the Kubernetes API (master/schema/facts.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from master.registry import untyped
from master.registry.resource import ALL_VERBS, Resource
from master.registry.table import AGE, NAME, Cell, Column
from master.registry.untyped import PathColumn, UntypedStrategy
from master.schema.facts import facts
from master.schema.schema import Data, Untyped
from master.schema.tree import Field, Items, Map, Node, Number, Rules, Struct, Text

# The parts that objects of Kubernetes' kinds always have.
_PARTS: Final = ("spec", "status")
_STEP: Final = re.compile(r"(?P<name>[^.\[\]]+)(?P<items>\[\])?")


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of a declaration. A misspelled field is an error."""


class ColumnDeclaration(_Strict, frozen=True):
    """A column of the table with the value at `path`. `missing`: the cell where the field is not set.

    The columns `Name` and `Age` need nothing but their name.
    """

    name: str
    path: str = ""
    type: str = "string"
    priority: int = 0
    missing: Cell = None
    description: str = ""


class FieldDeclaration(_Strict, frozen=True):
    """What the facts do not say about a field: its rules, and its description for users.

    `enum` names a string type of the facts, `choice` lists the values. `form` is a function in master/schema/checks.py.
    `minimum` and `maximum` are included.
    """

    description: str = ""
    required: bool = False
    immutable: bool = False
    default: Any = None
    enum: str = ""
    choice: tuple[str, ...] = ()
    form: str = ""
    minimum: float | None = None
    maximum: float | None = None


class Declaration(_Strict, frozen=True):
    """One passive kind.

    `type` names its type in the facts, such as `scheduling.v1.PriorityClass`. `fields` are named by their paths, with
    `[]` for the items of a list: `tolerations[].operator`. `generation`: none; `fixed` (always 1); or `counted`: it
    grows with each change of the desired state. `reserved_prefixes`: names may not begin with one of these.
    `status`: whether the kind has the subresource. `field_selectors`: paths, besides the name.
    """

    kind: str
    plural: str
    type: str
    description: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    generation: Literal["none", "fixed", "counted"] = "none"
    name_form: str = "dns_subdomain"
    reserved_prefixes: tuple[str, ...] = ()
    status: bool = False
    fields: dict[str, FieldDeclaration] = {}
    columns: tuple[ColumnDeclaration, ...] = (ColumnDeclaration("Name"), ColumnDeclaration("Age"))
    field_selectors: tuple[str, ...] = ()


def read(content: bytes) -> Resource[Untyped]:
    """The resource of a file's content. Raises ValueError. Its types are looked up when they are first needed."""
    return resource_of(msgspec.json.decode(content, type=Declaration))


def load(folder: Path) -> Iterator[Resource[Untyped]]:
    """The resources of all files `<group>/<plural>.json` of a folder, by path. Raises ValueError."""
    for path in sorted(folder.glob("*/*.json")):
        try:
            yield read(path.read_bytes())
        except (ValueError, AttributeError) as error:
            raise ValueError(f"{path}: {error}") from error


def resource_of(declared: Declaration) -> Resource[Untyped]:
    """The resource of a declaration. Raises AttributeError for an unknown form of names."""
    schema = Data(declared.kind, partial(tree_of, declared), always=_PARTS)
    return Resource(
        kind=declared.kind,
        plural=declared.plural,
        schema=schema,
        group=declared.group,
        version=declared.version,
        namespaced=declared.namespaced,
        short_names=declared.short_names,
        categories=declared.categories,
        verbs=declared.verbs,
        subresources=(untyped.STATUS,) if declared.status else (),
        strategy=UntypedStrategy(
            schema,
            untyped.name_form(declared.name_form),
            reserved=declared.reserved_prefixes,
            has_status=declared.status,
            moves=declared.generation == "counted",
        ),
        table=untyped.table([_column(column) for column in declared.columns]),
        fields={path: _selector(path) for path in declared.field_selectors},
        has_generation=declared.generation != "none",
    )


def tree_of(declared: Declaration) -> Struct:
    """The types of the kind with its rules. Raises ValueError for the path of a field that does not exist."""
    rules: dict[tuple[str, ...], FieldDeclaration] = {}
    for path, field in declared.fields.items():
        rules[tuple(step for match in _STEP.finditer(path) for step in match.groups() if step)] = field
    return replace(_ruled(facts().struct(declared.type), rules, declared.kind), description=declared.description)


def _ruled(struct: Struct, rules: Mapping[tuple[str, ...], FieldDeclaration], at: str) -> Struct:
    """A copy of a type with rules. The original is shared by other kinds. `at` is its path, for errors."""
    if unknown := {path[0] for path in rules} - struct.fields.keys():
        raise ValueError(f"{at} has no field {', '.join(sorted(unknown))}")
    fields = dict(struct.fields)
    for name in {path[0] for path in rules}:
        inner = {path[1:]: rule for path, rule in rules.items() if path[0] == name}
        own = inner.pop((), FieldDeclaration())
        field = fields[name]
        fields[name] = _field(field, own, _node(field.node, inner, f"{at}.{name}"))
    return replace(struct, fields=fields)


def _node(node: Node, rules: Mapping[tuple[str, ...], FieldDeclaration], at: str) -> Node:
    if not rules:
        return node
    if isinstance(node, Items):
        below = {path[1:]: rule for path, rule in rules.items() if path[0] == "[]"}
        own = below.pop((), FieldDeclaration())
        return replace(node, item=_node(_with_rules(node.item, own), below, f"{at}[]"))
    if isinstance(node, Struct):
        return _ruled(node, rules, at)
    raise ValueError(f"{at} has no fields")


def _field(field: Field, declared: FieldDeclaration, node: Node) -> Field:
    return replace(
        field,
        node=_with_rules(node, declared),
        required=field.required or declared.required,
        default=field.default if declared.default is None else declared.default,
        immutable=declared.immutable,
        description=declared.description,
    )


def _with_rules(node: Node, declared: FieldDeclaration) -> Node:
    choice = declared.choice or (facts().choices(declared.enum) if declared.enum else ())
    within = None
    if declared.minimum is not None or declared.maximum is not None:
        least = declared.minimum if declared.minimum is not None else float("-inf")
        within = least, declared.maximum if declared.maximum is not None else float("inf")
    if isinstance(node, Text | Number | Map) and (choice or within or declared.form):
        return replace(node, rules=Rules(choice=choice, within=within, form=declared.form))
    return node


def _column(declared: ColumnDeclaration) -> PathColumn:
    if declared.name == NAME.name:
        return PathColumn(NAME, ("metadata", "name"))
    if declared.name == AGE.name:
        return PathColumn(AGE, ("metadata", "creationTimestamp"), is_age=True)
    column = Column(declared.name, declared.type, priority=declared.priority, description=declared.description)
    return PathColumn(column, tuple(declared.path.split(".")), declared.missing)


def _selector(path: str) -> Any:
    parts = path.split(".")

    def read_field(obj: Untyped) -> str:
        value = untyped.value_at(obj, parts)
        return str(value).lower() if isinstance(value, bool) else "" if value is None else str(value)

    return read_field
