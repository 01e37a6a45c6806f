"""Strategic merge patches as a format of requests: which kinds have them, and their errors as a Status."""

from __future__ import annotations

from typing import Any

from master.api.errors import BadRequest, Invalid
from master.schema.schema import Schema
from master.schema.strategicmerge import maps
from master.schema.strategicmerge.errors import MalformedPatch, UnsupportedPatch


def suits(schema: Schema[Any]) -> bool:
    """Whether the type of the objects is one of the Kubernetes API, whose facts say how lists are merged.

    These types have numbers in protobuf, custom resources do not.
    """
    return any(field.number for field in schema.full_tree.fields.values())


def apply(current: Any, patch: Any, schema: Schema[Any]) -> Any:
    """The current value with the patch applied. Raises BadRequest, Invalid."""
    try:
        return maps.patch(current, patch, schema.full_tree)
    except MalformedPatch as error:
        raise BadRequest(str(error)) from error
    except UnsupportedPatch as error:
        raise Invalid(str(error)) from error
