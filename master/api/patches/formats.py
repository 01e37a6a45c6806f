"""The formats of patches, by the media type of the request's body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from master.api.errors import BadRequest
from master.api.patches import jsonpatches, mergepatch, strategic
from master.schema.schema import Schema


class Apply(Protocol):
    """Applies a patch. Changes neither of its arguments."""

    def __call__(self, current: Any, patch: Any, schema: Schema[Any]) -> Any:
        """The new JSON value. `current`: the object in the version of `schema`. Raises BadRequest, Invalid."""
        ...


def _always(schema: Schema[Any]) -> bool:
    return True


class Suits(Protocol):
    """Whether the objects of a schema can be patched in a format."""

    def __call__(self, schema: Schema[Any]) -> bool: ...


def _none(patch: Any) -> list[str]:
    return []


class UnknownFields(Protocol):
    """A sentence about each field of a patch itself that has no meaning. Fields of the object are found later."""

    def __call__(self, patch: Any) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class Format:
    """One format. `body`: the Python type of the patch."""

    apply: Apply
    body: type
    suits: Suits = _always
    unknown_fields: UnknownFields = _none

    def check(self, patch: Any) -> None:
        """Raises BadRequest for a body that is not a patch in this format."""
        if not isinstance(patch, self.body):
            shape = "a list of operations" if self.body is list else "an object"
            raise BadRequest(f"error decoding patch: the patch must be {shape}")


FORMATS: Final[Mapping[str, Format]] = {
    "application/json-patch+json": Format(jsonpatches.apply, list, unknown_fields=jsonpatches.unknown_fields),
    "application/merge-patch+json": Format(mergepatch.apply, dict),
    "application/strategic-merge-patch+json": Format(strategic.apply, dict, strategic.suits),
}


def accepted(schema: Schema[Any]) -> tuple[str, ...]:
    """The media types of the patches that the objects of a schema accept."""
    return tuple(media for media, format in FORMATS.items() if format.suits(schema))
