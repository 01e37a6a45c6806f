"""The body of a PATCH: its format, and the object that it makes of the current one.

The formats are in master/api/patches. A patch that cannot make an object of the right type is an error about the patch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from master.api.errors import BadRequest, Conflict, Invalid, UnsupportedMediaType
from master.api.patches.formats import FORMATS, Format, accepted
from master.api.pipeline import metadata
from master.api.rest.bodies import APPLY, Document
from master.api.rest.call import Call
from master.cache import Entry
from master.registry.resource import Resource
from master.schema.checks import Findings
from master.schema.pruning import Unclean, WrongType, check_clean, prune
from master.schema.schema import Schema


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch in one of the formats, for objects of one schema."""

    format: Format
    document: Document
    schema: Schema[Any]

    def apply(self, raw: bytes) -> Any:
        """The patched JSON value of an object. `raw`: the object as JSON. Raises BadRequest, Invalid, TooLarge."""
        current = msgspec.json.decode(raw)
        # Fields that an earlier release has stored are not a fault of the patch.
        try:
            check_clean(current, self.schema.tree)
        except Unclean:
            # A wrong type is reported with the types of the patched object, unless the patch mends it.
            with suppress(WrongType):
                current = prune(current, self.schema.tree, [])
        return self.format.apply(current, self.document.value, self.schema)


def format_of(media: str, schema: Schema[Any]) -> Format:
    """The format of a media type. Raises UnsupportedMediaType with those that the schema's objects accept."""
    format = FORMATS.get(media)
    if format is None or not format.suits(schema):
        known = ", ".join((*accepted(schema), APPLY))
        message = "the body of the request was in an unknown format - accepted media types include"
        raise UnsupportedMediaType(f"{message}: {known}; this was {media}")
    return format


@contextmanager
def reading(patch: Patch, value: Any, call: Call) -> Iterator[None]:
    """Reports what is wrong with the types and fields of a patched value as an error of the patch.

    Raises Invalid: the request was understood, but its result is not an object.
    """
    try:
        _report(patch.format.unknown_fields(patch.document.value), call)
        yield
    except BadRequest as error:
        findings = Findings()
        findings.invalid("patch", msgspec.json.encode(value).decode(), error.message)
        raise Invalid.of_kind("", "", findings.causes) from error


def _report(unknown: list[str], call: Call) -> None:
    """Reports fields of the patch itself as the query asks for it. Raises BadRequest."""
    validation = call.query.field_validation
    if unknown and validation == "Strict":
        raise BadRequest(f"strict decoding error: {', '.join(unknown)}")
    if validation == "Warn":
        call.warnings.extend(unknown)


def check_version(resource: Resource[Any], entry: Entry, version: str) -> None:
    """Raises Conflict if a patch asks for another version than the current one, Invalid for one that is malformed.

    A patch without a version has that of the object it was applied to, so that it can be applied to any.
    """
    expected = metadata.expected(resource, entry.name, version)
    if expected and expected != str(entry.revision):
        raise Conflict.of(resource, entry.name)
