"""The versions of a kind, in which the fields of an object are compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from master.fieldmanager.comparison import Comparison, Differences
from master.fieldmanager.fieldset import EMPTY, FieldSet
from master.fieldmanager.shapes import Record


@dataclass(frozen=True, slots=True)
class Form:
    """A version of a kind. `convert` makes a value in this version of one in the version of the request."""

    shape: Record
    convert: Callable[[dict[str, Any]], dict[str, Any]] = lambda value: value

    def compare(self, old: dict[str, Any], new: dict[str, Any]) -> Comparison:
        """The difference between two values in the version of the request."""
        return compare(self.shape, self.convert(old), self.convert(new))


@dataclass(frozen=True, slots=True)
class Forms:
    """The served versions of a kind, by apiVersion. `reset`: fields that the request may not change."""

    versions: Mapping[str, Form]
    reset: FieldSet = EMPTY

    def has_shape(self, version: str, shape: Record) -> bool:
        """Whether a version is served and its objects have this shape."""
        form = self.versions.get(version)
        return form is not None and form.shape is shape

    def comparing(self, old: dict[str, Any], new: dict[str, Any]) -> Callable[[str], Comparison | None]:
        """A function that compares two states in a version; each comparison is made once."""
        made: dict[str, Comparison | None] = {}

        def compare_in(api_version: str) -> Comparison | None:
            if api_version not in made:
                form = self.versions.get(api_version)
                made[api_version] = None if form is None else form.compare(old, new).without(self.reset)
            return made[api_version]

        return compare_in


def compare(shape: Record, old: dict[str, Any], new: dict[str, Any]) -> Comparison:
    """The difference between two values of a kind."""
    differences = Differences()
    shape.compare_fields(old, new, differences)
    return differences.comparison()
