"""The form of the files that declare passive kinds: values that are decoded from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from master.registry.resource import ALL_VERBS
from master.registry.table import Cell


class Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A part of a declaration. A misspelled field is an error."""


class ColumnDeclaration(Strict, frozen=True):
    """A column of the table. The columns `Name` and `Age` need nothing but their name.

    `path`: where the value is, such as `spec.rules[].host` or `status.conditions[type=Ready].status`. Several values
    are joined by `join`. `text`: instead of a path, a text with paths in braces, such as `{spec.kind}/{spec.name}`.
    `show`: the value itself; the number of values; the time since then; the length of a time in seconds; or a label
    selector as text. `values`: texts for some values. `missing`: the cell where the field, or each field of the text,
    is not set.
    """

    name: str
    path: str = ""
    text: str = ""
    show: Literal["value", "count", "age", "duration", "selector"] = "value"
    join: str = ","
    values: Mapping[str, str] = {}
    type: str = "string"
    format: str = ""
    priority: int = 0
    missing: Cell = None
    description: str = ""


class FieldDeclaration(Strict, frozen=True):
    """What the facts do not say about a field: its rules, and its description for users.

    `required`: if it is not given, the facts say it for values other than lists and maps. A required list or map must
    not be empty. `enum` names a string type of the facts, `choice` lists the values. `form` is the name of a function
    that master/schema/forms.py finds, for text or the keys of a map. `minimum` and `maximum` are included. `least` and
    `most` limit the bytes of a text, or the items of a list or map. `unique`: no item occurs twice in a list (`*`), or
    no two items have the same value of this field.
    """

    description: str = ""
    required: bool | None = None
    immutable: bool = False
    default: Any = None
    enum: str = ""
    choice: tuple[str, ...] = ()
    form: str = ""
    minimum: float | None = None
    maximum: float | None = None
    least: int | None = None
    most: int | None = None
    unique: str = ""


class TypeDeclaration(Strict, frozen=True):
    """The rules of a type wherever it is used. `check`: a function in master/schema/shapes.py."""

    description: str = ""
    check: str = ""
    fields: Mapping[str, FieldDeclaration] = {}


class VersionDeclaration(Strict, frozen=True):
    """A further version of the kind, with its type and the rules of its fields.

    `old`: discovery lists the version only if old ones are listed.
    """

    name: str
    type: str
    old: bool = False
    fields: Mapping[str, FieldDeclaration] = {}


class Declaration(Strict, frozen=True):
    """One passive kind.

    `type` names its type in the facts, such as `scheduling.v1.PriorityClass`. `fields` are named by their paths, with
    `[]` for the items of a list and `{}` for the values of a map: `tolerations[].operator`. `generation`: none; `fixed`
    (always 1); or `counted`: it grows with each change of the desired state. `reserved_prefixes`: names may not begin
    with one of these. `status`: whether the kind has the subresource. `status_keeps_metadata`: it changes
    neither labels nor annotations, unlike those of most kinds. `field_selectors`: paths, besides the name.
    `needs_version`: whether an update must name the version of the object that it replaces. `no_effect`: what the
    objects would do, if nothing does it yet; writing one is answered with a warning.
    """

    kind: str
    plural: str
    type: str
    description: str
    group: str = ""
    version: str = "v1"
    versions: tuple[VersionDeclaration, ...] = ()
    namespaced: bool = True
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ALL_VERBS
    generation: Literal["none", "fixed", "counted"] = "none"
    name_form: str = "dns_subdomain"
    reserved_prefixes: tuple[str, ...] = ()
    status: bool = False
    status_keeps_metadata: bool = False
    needs_version: bool = False
    no_effect: str = ""
    fields: Mapping[str, FieldDeclaration] = {}
    columns: tuple[ColumnDeclaration, ...] = (ColumnDeclaration("Name"), ColumnDeclaration("Age"))
    field_selectors: tuple[str, ...] = ()
